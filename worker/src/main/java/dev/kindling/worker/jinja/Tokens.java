package dev.kindling.worker.jinja;

import java.util.List;

/** The tokens of a template under a reading finger. */
final class Tokens {
  private final List<Token> tokens;
  private int at;

  Tokens(List<Token> tokens) {
    this.tokens = tokens;
  }

  Token peek() {
    return tokens.get(at);
  }

  Token peekSecond() {
    return tokens.get(Math.min(at + 1, tokens.size() - 1));
  }

  Token next() {
    Token token = tokens.get(at);
    at = Math.min(at + 1, tokens.size() - 1);
    return token;
  }

  boolean at(Token.Kind kind, String text) {
    return peek().is(kind, text);
  }

  boolean operator(String text) {
    return at(Token.Kind.OPERATOR, text);
  }

  boolean word(String text) {
    return at(Token.Kind.NAME, text);
  }

  /** Takes the operator if it is next. */
  boolean takeOperator(String text) {
    boolean there = operator(text);
    if (there) {
      next();
    }
    return there;
  }

  /** Takes the name if it is next. */
  boolean takeWord(String text) {
    boolean there = word(text);
    if (there) {
      next();
    }
    return there;
  }

  void expectOperator(String text) {
    if (!takeOperator(text)) {
      throw wrong("\"" + text + "\"");
    }
  }

  String expectName() {
    return expect(Token.Kind.NAME, "a name").text();
  }

  Token expect(Token.Kind kind, String what) {
    if (peek().kind() != kind) {
      throw wrong(what);
    }
    return next();
  }

  TemplateException wrong(String expected) {
    Token found = peek();
    return new TemplateException(found.line(), "expected " + expected + ", found " + found.shown());
  }
}
