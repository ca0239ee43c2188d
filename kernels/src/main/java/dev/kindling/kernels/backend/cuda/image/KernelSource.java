package dev.kindling.kernels.backend.cuda.image;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One file of kernels and every header it includes, directly or through another, as shipped in the
 * jar. Nothing outside the jar is ever included, so these texts decide the machine code.
 *
 * @param family name of the file without its suffix
 * @param text of the file
 * @param headers text by the name with which it is included
 */
public record KernelSource(String family, String text, SortedMap<String, String> headers) {
  private static final Pattern INCLUDE =
      Pattern.compile("^\\s*#\\s*include\\s*([\"<])([^\">]+)[\">]", Pattern.MULTILINE);

  /** From the resources of this jar. */
  public static KernelSource shipped(String family) {
    return of(family, KernelSource::resource);
  }

  /**
   * @param files text of a file by its name
   * @throws IllegalStateException if a file is missing, or a system header is asked for
   */
  static KernelSource of(String family, Function<String, Optional<String>> files) {
    String name = family + ".cu";
    String text =
        files.apply(name).orElseThrow(() -> new IllegalStateException("no kernel source " + name));
    SortedMap<String, String> headers = new TreeMap<>();
    collect(name, text, files, headers);
    return new KernelSource(family, text, headers);
  }

  private static void collect(
      String file,
      String text,
      Function<String, Optional<String>> files,
      Map<String, String> headers) {
    Matcher includes = INCLUDE.matcher(text);
    while (includes.find()) {
      String name = includes.group(2);
      if (includes.group(1).equals("<")) {
        throw new IllegalStateException(
            file + ": expected headers of the jar only, found <" + name + ">");
      }
      if (!headers.containsKey(name)) {
        String header =
            files
                .apply(name)
                .orElseThrow(() -> new IllegalStateException(file + ": no header " + name));
        headers.put(name, header);
        collect(name, header, files, headers);
      }
    }
  }

  private static Optional<String> resource(String name) {
    return bytes("/cuda/" + name).map(bytes -> new String(bytes, StandardCharsets.UTF_8));
  }

  static Optional<byte[]> bytes(String resource) {
    try (InputStream stream = KernelSource.class.getResourceAsStream(resource)) {
      return stream == null ? Optional.empty() : Optional.of(stream.readAllBytes());
    } catch (IOException unreadable) {
      throw new UncheckedIOException("cannot read " + resource, unreadable);
    }
  }
}
