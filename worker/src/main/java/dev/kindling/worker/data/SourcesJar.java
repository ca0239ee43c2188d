package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.io.Serializable;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * One pinned sources jar.
 *
 * @param coordinates {@code group:artifact:version}
 * @param sha256 of the jar, 64 lower-case hexadecimal digits
 * @param split the side on which all its files lie
 */
public record SourcesJar(String coordinates, String sha256, SplitName split)
    implements Serializable {
  private static final Pattern COORDINATES =
      Pattern.compile("[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.+-]+");
  private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

  public SourcesJar {
    boolean named = COORDINATES.matcher(coordinates).matches();
    boolean hashed = SHA256.matcher(sha256).matches();
    new Expectation()
        .that(named, "coordinates", "group:artifact:version", coordinates)
        .that(hashed, "sha256", "64 lower-case hexadecimal digits", sha256)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("split", SplitName.TRAIN);
  }

  /** Path of the jar below a Maven repository's root. */
  String repositoryPath() {
    String[] parts = coordinates.split(":", -1);
    return parts[0].replace('.', '/') + '/' + parts[1] + '/' + parts[2] + '/' + fileName();
  }

  String fileName() {
    String[] parts = coordinates.split(":", -1);
    return parts[1] + '-' + parts[2] + "-sources.jar";
  }
}
