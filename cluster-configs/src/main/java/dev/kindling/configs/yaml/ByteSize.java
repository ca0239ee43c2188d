package dev.kindling.configs.yaml;

/**
 * A byte count, written in YAML as {@code 4096}, {@code 64KiB}, {@code 64MiB} or {@code 2GiB}
 * (powers of 1024 only; {@code MB} is refused because readers disagree on it).
 */
public record ByteSize(long bytes) {
  public ByteSize {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes: expected 0 or more, found " + bytes);
    }
  }

  private static final String[] UNITS = {"GiB", "MiB", "KiB"};

  static ByteSize parse(String text) {
    for (int i = 0; i < UNITS.length; i++) {
      if (text.endsWith(UNITS[i])) {
        String number = text.substring(0, text.length() - UNITS[i].length()).trim();
        return new ByteSize(Math.multiplyExact(Long.parseLong(number), 1L << (10 * (3 - i))));
      }
    }
    return new ByteSize(Long.parseLong(text));
  }

  @Override
  public String toString() {
    for (int i = 0; i < UNITS.length; i++) {
      long unit = 1L << (10 * (3 - i));
      if (bytes > 0 && bytes % unit == 0) {
        return bytes / unit + UNITS[i];
      }
    }
    return Long.toString(bytes);
  }
}
