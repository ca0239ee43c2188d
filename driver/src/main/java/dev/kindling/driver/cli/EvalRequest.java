package dev.kindling.driver.cli;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.data.BadLines;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Words of {@code eval}: data, choices or both.
 *
 * @param field member of a JSON line that holds the text
 * @param json file for the figures
 */
public record EvalRequest(
    ModelSource model,
    Optional<Path> data,
    String field,
    Optional<Path> choices,
    BadLines badLines,
    Optional<Path> json) {
  public EvalRequest {
    if (data.isEmpty() && choices.isEmpty()) {
      throw new PlanException("eval: expected --data PATH or --choices FILE.jsonl, found neither");
    }
  }
}
