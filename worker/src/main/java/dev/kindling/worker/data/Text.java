package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Map;

/**
 * UTF-8 text files, one document each.
 *
 * @param paths files or folders (walked; names that start with a dot are left out)
 * @param validationPaths the same, held out for validation; empty: see {@code validationFraction}
 * @param validationFraction share of documents held out, picked by content hash, so that equal
 *     documents never lie on both sides; 0 holds out none
 * @param maskDocuments attention and targets stay inside one document; positions restart there
 */
public record Text(
    List<String> paths,
    List<String> validationPaths,
    double validationFraction,
    boolean maskDocuments)
    implements Source {
  public Text {
    paths = List.copyOf(paths);
    validationPaths = List.copyOf(validationPaths);
    Expectation e = new Expectation();
    e.notEmpty("paths", paths, "at least one file or folder");
    HeldOut.check(e, validationPaths, validationFraction);
    e.orThrow();
  }

  @Override
  public Text absolute() {
    return new Text(
        DataSpec.absolute(paths),
        DataSpec.absolute(validationPaths),
        validationFraction,
        maskDocuments);
  }

  public static Map<String, Object> defaults() {
    return Map.of("validationPaths", List.of(), "validationFraction", 0.0, "maskDocuments", false);
  }
}
