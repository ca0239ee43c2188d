package dev.kindling.worker.store;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads RFC 8259 JSON and nothing else: UTF-8 only, no duplicate keys, no comments, no NaN, no
 * leading zeros, no lone surrogates (unless the limits say so), nothing but white space after the
 * value, and limits on depth, string length, number length and value count. Every refusal names the
 * file and the byte.
 */
public final class JsonReader {
  /**
   * What a text may cost.
   *
   * @param depth deepest nesting
   * @param textBytes longest string in bytes of the file
   * @param numberBytes longest number
   * @param values most values in all
   * @param surrogates whether escapes may name half a character; Java's encoder writes '?' for it
   */
  public record Limits(int depth, int textBytes, int numberBytes, int values, boolean surrogates) {
    public static final Limits DEFAULT = new Limits(64, 1 << 20, 40, 4_000_000);

    /**
     * For texts that others wrote and that are as long as they are: corpora, vocabularies. Crawled
     * text holds halves of emoji; one of them must not end the preparation of a corpus.
     */
    public static final Limits FOREIGN =
        new Limits(65, Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE, true);

    public Limits(int depth, int textBytes, int numberBytes, int values) {
      this(depth, textBytes, numberBytes, values, false);
    }
  }

  private final byte[] bytes;
  private final String file;
  private final Limits limits;
  private final CharsetDecoder utf8 =
      StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT);
  private int at;
  private int values;

  private JsonReader(byte[] bytes, String file, Limits limits) {
    this.bytes = bytes;
    this.file = file;
    this.limits = limits;
  }

  /** Reads one value; {@code file} is the name that errors show. */
  public static Json read(byte[] bytes, String file) {
    return read(bytes, file, Limits.DEFAULT);
  }

  /** Reads one object under limits. */
  public static Json read(byte[] bytes, String file, Limits limits) {
    JsonReader reader = new JsonReader(bytes, file, limits);
    reader.skipSpace();
    Json value = reader.value(1);
    reader.skipSpace();
    if (reader.at < bytes.length) {
      throw reader.wrong("expected the end of the text, found " + reader.shown());
    }
    return value;
  }

  private Json value(int depth) {
    if (depth > limits.depth()) {
      throw wrong("expected at most " + limits.depth() + " levels, found more");
    }
    if (++values > limits.values()) {
      throw wrong("expected at most " + limits.values() + " values, found more");
    }
    Json.Place place = new Json.Place(file, at);
    int next = peek();
    return switch (next) {
      case '{' -> object(place, depth);
      case '[' -> list(place, depth);
      case '"' -> new Json.Text(text(), place);
      case 't' -> literal("true", new Json.Bool(true, place));
      case 'f' -> literal("false", new Json.Bool(false, place));
      case 'n' -> literal("null", new Json.Null(place));
      default -> new Json.Num(number(), place);
    };
  }

  private Json object(Json.Place place, int depth) {
    Map<String, Json> members = new LinkedHashMap<>();
    at++;
    skipSpace();
    if (peek() == '}') {
      at++;
      return new Json.Obj(members, place);
    }
    while (true) {
      int keyAt = at;
      if (peek() != '"') {
        throw wrong("expected a key, found " + shown());
      }
      String key = text();
      skipSpace();
      expect(':');
      skipSpace();
      if (members.putIfAbsent(key, value(depth + 1)) != null) {
        throw new JsonException(file, keyAt, "duplicate key " + Json.of(key).write());
      }
      skipSpace();
      if (peek() == '}') {
        at++;
        return new Json.Obj(members, place);
      }
      expect(',');
      skipSpace();
    }
  }

  private Json list(Json.Place place, int depth) {
    List<Json> items = new ArrayList<>();
    at++;
    skipSpace();
    if (peek() == ']') {
      at++;
      return new Json.Arr(List.of(), place);
    }
    while (true) {
      items.add(value(depth + 1));
      skipSpace();
      if (peek() == ']') {
        at++;
        return new Json.Arr(List.copyOf(items), place);
      }
      expect(',');
      skipSpace();
    }
  }

  private Json literal(String word, Json value) {
    for (int i = 0; i < word.length(); i++) {
      expect(word.charAt(i));
    }
    return value;
  }

  private String number() {
    int start = at;
    if (peek() != '-' && (peek() < '0' || peek() > '9')) {
      throw wrong("expected a value, found " + shown());
    }
    if (peek() == '-') {
      at++;
    }
    if (peek() == '0') {
      at++;
    } else {
      digits();
    }
    if (peek() == '.') {
      at++;
      digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      at++;
      if (peek() == '+' || peek() == '-') {
        at++;
      }
      digits();
    }
    if (at - start > limits.numberBytes()) {
      throw new JsonException(
          file, start, "expected a number of at most " + limits.numberBytes() + " bytes");
    }
    return new String(bytes, start, at - start, StandardCharsets.US_ASCII);
  }

  private void digits() {
    int start = at;
    while (peek() >= '0' && peek() <= '9') {
      at++;
    }
    if (at == start) {
      throw wrong("expected a digit, found " + shown());
    }
  }

  private String text() {
    int start = ++at;
    StringBuilder out = new StringBuilder();
    int run = at;
    while (true) {
      int c = peek();
      if (c < 0x20) {
        throw wrong("expected the end of the string, found " + shown());
      }
      if (at - start > limits.textBytes()) {
        throw new JsonException(
            file, start, "expected a string of at most " + limits.textBytes() + " bytes");
      }
      if (c == '"' || c == '\\') {
        decode(run, at, out);
        at++;
        if (c == '"') {
          break;
        }
        escape(out);
        run = at;
      } else {
        at++;
      }
    }
    if (!limits.surrogates()) {
      refuseLoneSurrogates(out, start);
    }
    return out.toString();
  }

  private void decode(int from, int to, StringBuilder out) {
    try {
      out.append(utf8.decode(ByteBuffer.wrap(bytes, from, to - from)));
    } catch (CharacterCodingException malformed) {
      throw new JsonException(file, from, "expected UTF-8, found malformed bytes");
    }
  }

  private void escape(StringBuilder out) {
    int c = peek();
    at++;
    switch (c) {
      case '"', '\\', '/' -> out.append((char) c);
      case 'b' -> out.append('\b');
      case 'f' -> out.append('\f');
      case 'n' -> out.append('\n');
      case 'r' -> out.append('\r');
      case 't' -> out.append('\t');
      case 'u' -> {
        int code = 0;
        for (int i = 0; i < 4; i++, at++) {
          int digit = Character.digit(peek(), 16);
          if (digit < 0) {
            throw wrong("expected a hexadecimal digit, found " + shown());
          }
          code = code * 16 + digit;
        }
        out.append((char) code);
      }
      default -> {
        at--;
        throw wrong("expected an escape, found " + shown());
      }
    }
  }

  private void refuseLoneSurrogates(StringBuilder text, int start) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isHighSurrogate(c)
          && i + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
      } else if (Character.isSurrogate(c)) {
        throw new JsonException(file, start, "expected a surrogate pair, found a lone surrogate");
      }
    }
  }

  private void skipSpace() {
    while (at < bytes.length
        && (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == '\t')) {
      at++;
    }
  }

  private void expect(char c) {
    if (peek() != c) {
      throw wrong("expected '" + c + "', found " + shown());
    }
    at++;
  }

  /** The byte here as 0..255, or -1 at the end. */
  private int peek() {
    return at < bytes.length ? bytes[at] & 0xff : -1;
  }

  private String shown() {
    int c = peek();
    return c < 0 ? "the end" : c > 0x20 && c < 0x7f ? "'" + (char) c + "'" : "byte " + c;
  }

  private JsonException wrong(String message) {
    return new JsonException(file, at, message);
  }
}
