package dev.kindling.worker.store;

import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.util.ArrayList;
import java.util.List;

/**
 * The only names a {@link Storage} takes: one or more components of printable ASCII letters,
 * digits, {@code . _ - =}, joined by {@code /}. Absolute names, empty components, {@code .}, {@code
 * ..}, components that begin with a dot, control characters, back-slashes, drive letters, device
 * syntax and all non-ASCII spellings fall out by construction.
 */
public final class StorageName {
  static final int MAX_COMPONENT_BYTES = 200;
  private static final int MAX_NAME_BYTES = 1000;

  private StorageName() {}

  /** Returns the components of a legal name; throws {@link InvalidPathException} for any other. */
  public static List<String> components(String name) {
    if (name.isEmpty() || name.length() > MAX_NAME_BYTES) {
      throw new InvalidPathException(
          shown(name), "expected 1 to " + MAX_NAME_BYTES + " characters");
    }
    List<String> components = new ArrayList<>();
    int start = 0;
    for (int end = name.indexOf('/'); end >= 0; end = name.indexOf('/', start)) {
      components.add(component(name, start, end));
      start = end + 1;
    }
    components.add(component(name, start, name.length()));
    return components;
  }

  private static String component(String name, int start, int end) {
    if (end == start || end - start > MAX_COMPONENT_BYTES) {
      throw new InvalidPathException(
          shown(name), "expected components of 1 to " + MAX_COMPONENT_BYTES + " characters", start);
    }
    if (name.charAt(start) == '.') {
      throw new InvalidPathException(shown(name), "a component may not begin with a dot", start);
    }
    for (int i = start; i < end; i++) {
      char c = name.charAt(i);
      boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!letter && !(c >= '0' && c <= '9') && "._-=".indexOf(c) < 0) {
        throw new InvalidPathException(shown(name), "expected letters, digits and . _ - =", i);
      }
    }
    return name.substring(start, end);
  }

  /**
   * A hostile name in a message must not drive a terminal: anything but printable ASCII becomes a
   * question mark.
   */
  private static String shown(String name) {
    String head = name.length() > 80 ? name.substring(0, 80) + "..." : name;
    byte[] bytes = head.getBytes(StandardCharsets.US_ASCII);
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] < 32 || bytes[i] > 126) {
        bytes[i] = '?';
      }
    }
    return new String(bytes, StandardCharsets.US_ASCII);
  }
}
