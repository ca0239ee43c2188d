package dev.kindling.worker.data;

/**
 * A folder that {@code data prepare} wrote; its tokenizer and sequence length must be the plan's.
 *
 * @param path the folder that holds {@code manifest.json}
 */
public record Prepared(String path) implements DataSpec {
  public Prepared {
    SpecChecks.check(path.isEmpty() ? "path: expected a folder, found an empty text" : "");
  }
}
