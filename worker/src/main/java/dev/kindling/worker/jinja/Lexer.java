package dev.kindling.worker.jinja;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Source to tokens, white space as Jinja 3 leaves it with {@code trim_blocks} and {@code
 * lstrip_blocks}: the first newline behind a block or comment goes, and so do blanks before one
 * that begins its line; {@code -} beside a delimiter takes all white space, {@code +} takes none.
 * The last newline of the source is no part of it.
 */
final class Lexer {
  private static final List<String> OPERATORS =
      List.of(
          "//", "**", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "(", ")", "[", "]", "{",
          "}", "<", ">", "=", ".", ":", "|", ",");

  private final String source;
  private final List<Token> tokens = new ArrayList<>();
  private int at;
  private int line = 1;

  /** Whether what was consumed last ended a line, so that blanks from here on begin one. */
  private boolean lineStarts = true;

  private Lexer(String source) {
    this.source = source;
  }

  static List<Token> tokens(String source) {
    String text = source.replace("\r\n", "\n").replace('\r', '\n');
    if (text.endsWith("\n")) {
      text = text.substring(0, text.length() - 1);
    }
    Lexer lexer = new Lexer(text);
    lexer.run();
    return lexer.tokens;
  }

  private void run() {
    while (at < source.length()) {
      int begin = nextDelimiter(at);
      if (begin < 0) {
        data(source.substring(at));
        at = source.length();
        break;
      }
      char kind = source.charAt(begin + 1);
      char sign = begin + 2 < source.length() ? source.charAt(begin + 2) : ' ';
      data(before(source.substring(at, begin), kind, sign));
      skip(begin - at);
      skip(sign == '-' || sign == '+' ? 3 : 2);
      if (kind == '#') {
        comment();
      } else {
        tag(kind == '%');
      }
    }
    tokens.add(new Token(Token.Kind.END, "", line));
  }

  private int nextDelimiter(int from) {
    for (int k = source.indexOf('{', from); k >= 0; k = source.indexOf('{', k + 1)) {
      if (k + 1 < source.length() && "{%#".indexOf(source.charAt(k + 1)) >= 0) {
        return k;
      }
    }
    return -1;
  }

  private String before(String text, char kind, char sign) {
    if (sign == '-') {
      return text.stripTrailing();
    }
    int start = text.lastIndexOf('\n') + 1;
    boolean begins = start > 0 || lineStarts;
    return kind != '{' && sign != '+' && begins && text.substring(start).isBlank()
        ? text.substring(0, start)
        : text;
  }

  private void data(String text) {
    if (!text.isEmpty()) {
      tokens.add(new Token(Token.Kind.DATA, text, line));
    }
  }

  private void comment() {
    int end = source.indexOf("#}", at);
    if (end < 0) {
      throw new TemplateException(line, "expected the end of the comment, found none");
    }
    char sign = end > at ? source.charAt(end - 1) : ' ';
    skip(end + 2 - at);
    behind(sign, true);
  }

  /** White space behind a tag that ended with {@code sign} before its delimiter. */
  private void behind(char sign, boolean trims) {
    lineStarts = false;
    if (sign == '-') {
      int end = at;
      while (end < source.length() && Character.isWhitespace(source.charAt(end))) {
        end++;
      }
      lineStarts = end > at && source.charAt(end - 1) == '\n';
      skip(end - at);
    } else if (trims && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
      lineStarts = true;
      skip(1);
    }
  }

  private void tag(boolean block) {
    tokens.add(
        new Token(
            block ? Token.Kind.BLOCK_BEGIN : Token.Kind.OUTPUT_BEGIN, block ? "{%" : "{{", line));
    String end = block ? "%}" : "}}";
    Deque<Character> open = new ArrayDeque<>();
    while (true) {
      while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
        skip(1);
      }
      if (at >= source.length()) {
        throw new TemplateException(line, "expected " + end + ", found the end of the template");
      }
      char sign = source.charAt(at);
      boolean signed = (sign == '-' || (sign == '+' && block)) && source.startsWith(end, at + 1);
      if (open.isEmpty() && (signed || source.startsWith(end, at))) {
        tokens.add(new Token(block ? Token.Kind.BLOCK_END : Token.Kind.OUTPUT_END, end, line));
        skip(signed ? 3 : 2);
        behind(signed ? sign : ' ', block);
        return;
      }
      piece(open);
    }
  }

  private void piece(Deque<Character> open) {
    char c = source.charAt(at);
    if (c == '\'' || c == '"') {
      string(c);
    } else if (c >= '0' && c <= '9') {
      number();
    } else if (Character.isLetter(c) || c == '_') {
      int end = at;
      while (end < source.length()
          && (Character.isLetterOrDigit(source.charAt(end)) || source.charAt(end) == '_')) {
        end++;
      }
      token(Token.Kind.NAME, end);
    } else {
      operator(open);
    }
  }

  private void operator(Deque<Character> open) {
    for (String operator : OPERATORS) {
      if (source.startsWith(operator, at)) {
        char c = operator.charAt(0);
        if ("([{".indexOf(c) >= 0) {
          open.push(c == '(' ? ')' : c == '[' ? ']' : '}');
        } else if (")]}".indexOf(c) >= 0 && (open.isEmpty() || open.pop() != c)) {
          throw new TemplateException(line, "unexpected \"" + c + "\"");
        }
        token(Token.Kind.OPERATOR, at + operator.length());
        return;
      }
    }
    throw new TemplateException(line, "unexpected character \"" + source.charAt(at) + "\"");
  }

  private void number() {
    int end = at;
    boolean point = false;
    while (end < source.length()) {
      char c = source.charAt(end);
      boolean fraction =
          c == '.'
              && !point
              && end + 1 < source.length()
              && Character.isDigit(source.charAt(end + 1));
      if (!(c >= '0' && c <= '9') && !fraction) {
        break;
      }
      point |= fraction;
      end++;
    }
    if (end - at > 18) {
      throw new TemplateException(line, "expected a number of at most 18 digits");
    }
    token(point ? Token.Kind.FLOAT : Token.Kind.INTEGER, end);
  }

  private void token(Token.Kind kind, int end) {
    tokens.add(new Token(kind, source.substring(at, end), line));
    skip(end - at);
  }

  private void string(char quote) {
    int first = line;
    StringBuilder text = new StringBuilder();
    skip(1);
    while (at < source.length() && source.charAt(at) != quote) {
      char c = source.charAt(at);
      skip(1);
      if (c == '\\' && at < source.length()) {
        escape(text);
      } else {
        text.append(c);
      }
    }
    if (at >= source.length()) {
      throw new TemplateException(first, "expected the end of the string, found none");
    }
    skip(1);
    tokens.add(new Token(Token.Kind.STRING, text.toString(), first));
  }

  private void escape(StringBuilder text) {
    char c = source.charAt(at);
    skip(1);
    switch (c) {
      case 'n' -> text.append('\n');
      case 't' -> text.append('\t');
      case 'r' -> text.append('\r');
      case '\\', '\'', '"' -> text.append(c);
      case 'u' -> {
        if (at + 4 > source.length() || !source.substring(at, at + 4).matches("[0-9a-fA-F]{4}")) {
          throw new TemplateException(line, "expected four hexadecimal digits behind \\u");
        }
        text.append((char) Integer.parseInt(source.substring(at, at + 4), 16));
        skip(4);
      }
      default -> text.append('\\').append(c);
    }
  }

  private void skip(int characters) {
    for (int end = at + characters; at < end; at++) {
      line += source.charAt(at) == '\n' ? 1 : 0;
    }
  }
}
