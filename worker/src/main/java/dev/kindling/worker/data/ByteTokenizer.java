package dev.kindling.worker.data;

import java.nio.charset.StandardCharsets;

/** One id a UTF-8 byte; 0 separates documents. A uniform guess costs ln(256) nats a token. */
final class ByteTokenizer implements Tokenizer {
  @Override
  public int vocabularySize() {
    return 256;
  }

  @Override
  public int separator() {
    return 0;
  }

  @Override
  public String hash() {
    return new Sha256().add("bytes").add("separator 0").hex();
  }

  @Override
  public int[] encode(byte[] utf8) {
    int[] ids = new int[utf8.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = utf8[i] & 0xff;
    }
    return ids;
  }

  @Override
  public Tokens tokens(String text) {
    int[] ids = encode(text.getBytes(StandardCharsets.UTF_8));
    int[] starts = new int[ids.length];
    int character = -1;
    int width = 1;
    for (int i = 0; i < ids.length; i++) {
      if ((ids[i] & 0xc0) != 0x80) {
        character += width;
        width = Character.charCount(text.codePointAt(character));
      }
      starts[i] = character;
    }
    return new Tokens(ids, starts);
  }

  @Override
  public String decode(int[] ids) {
    byte[] utf8 = new byte[ids.length];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] > 255) {
        throw new DataException("token " + i + ": expected an id in [0, 256), found " + ids[i]);
      }
      utf8[i] = (byte) ids[i];
    }
    return new String(utf8, StandardCharsets.UTF_8);
  }

  @Override
  public byte[] save() {
    return new byte[0];
  }

  @Override
  public void close() {}
}
