package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Map;

/**
 * JSON lines: one object a line, one document each, its text in a string field.
 *
 * @param paths files or folders (walked; names that start with a dot are left out)
 * @param field the member that holds the text
 * @param validationPaths the same as {@code paths}, held out for validation
 * @param validationFraction share of documents held out, picked by content hash
 * @param maskDocuments attention and targets stay inside one document; positions restart there
 * @param badLines what a line does that holds no such text
 */
public record Jsonl(
    List<String> paths,
    String field,
    List<String> validationPaths,
    double validationFraction,
    boolean maskDocuments,
    BadLines badLines)
    implements Source {
  public Jsonl {
    paths = List.copyOf(paths);
    validationPaths = List.copyOf(validationPaths);
    Expectation e = new Expectation();
    e.notEmpty("paths", paths, "at least one file or folder");
    e.notEmpty("field", field, "the name of a JSON member");
    HeldOut.check(e, validationPaths, validationFraction);
    e.orThrow();
  }

  @Override
  public Jsonl absolute() {
    return new Jsonl(
        DataSpec.absolute(paths),
        field,
        DataSpec.absolute(validationPaths),
        validationFraction,
        maskDocuments,
        badLines);
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "field",
        "text",
        "validationPaths",
        List.of(),
        "validationFraction",
        0.0,
        "maskDocuments",
        false,
        "badLines",
        BadLines.FAIL);
  }
}
