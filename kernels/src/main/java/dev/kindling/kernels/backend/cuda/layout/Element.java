package dev.kindling.kernels.backend.cuda.layout;

/** Type of one stored element. */
public enum Element {
  F32(4),
  BF16(2),
  I32(4);

  private final int bytes;

  Element(int bytes) {
    this.bytes = bytes;
  }

  public int bytes() {
    return bytes;
  }
}
