package dev.kindling.driver.launch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Everything that a run left for others to read, and what is found in it. */
final class Haystack {
  private final Map<String, String> texts = new TreeMap<>();

  /** Bytes as characters, so that no encoding hides any. */
  void add(String name, byte[] bytes) {
    texts.put(name, new String(bytes, StandardCharsets.ISO_8859_1));
  }

  void add(String name, String text) {
    add(name, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Every file below, names included. */
  void addTree(Path folder) throws IOException {
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path file : walk.filter(path -> Files.isRegularFile(path)).toList()) {
        if (!Files.isSymbolicLink(file)) {
          add(file.toString(), Files.readAllBytes(file));
        }
      }
    }
  }

  List<String> names() {
    return List.copyOf(texts.keySet());
  }

  /** Where the needle stands, plainly or in one of the ways in which programs print bytes. */
  List<String> find(byte[] needle) {
    String text = new String(needle, StandardCharsets.ISO_8859_1);
    String wide = new String(text.getBytes(StandardCharsets.UTF_16LE), StandardCharsets.ISO_8859_1);
    List<String> forms =
        List.of(
            text,
            wide,
            HexFormat.of().formatHex(needle),
            HexFormat.of().withUpperCase().formatHex(needle),
            Base64.getEncoder().withoutPadding().encodeToString(needle));
    List<String> found = new ArrayList<>();
    texts.forEach(
        (name, content) -> {
          if (forms.stream().anyMatch(form -> content.contains(form) || name.contains(form))) {
            found.add(name);
          }
        });
    return found;
  }

  List<String> find(String needle) {
    return find(needle.getBytes(StandardCharsets.UTF_8));
  }
}
