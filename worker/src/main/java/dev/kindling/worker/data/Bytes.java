package dev.kindling.worker.data;

/**
 * One token a UTF-8 byte: vocabulary 256, separator 0 (text that holds NUL is refused as binary, so
 * byte 0 is free).
 */
public record Bytes() implements TokenizerSpec {
  @Override
  public Bytes absolute() {
    return this;
  }
}
