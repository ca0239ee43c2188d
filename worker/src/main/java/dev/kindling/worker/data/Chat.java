package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Conversations to fine-tune on, JSON lines: {@code {"messages": [{"role": "user", "content": ...},
 * {"role": "assistant", "content": ...}]}} or {@code {"prompt": ..., "completion": ...}}. Only what
 * the assistant says, with the token that ends it, counts in the loss. Examples are packed whole
 * into sequences, best fit first, and do not see each other.
 *
 * @param paths files or folders (walked; names that start with a dot are left out)
 * @param template the Jinja template of conversations: {@code chatml} or a file; default: {@code
 *     chat_template.jinja} or the {@code chat_template} of {@code tokenizer_config.json} beside the
 *     tokenizer. Pairs need none: a completion follows its prompt and the tokenizer's separator
 *     ends it
 * @param tooLong what becomes of an example with more than sequence_length + 1 tokens
 * @param badLines what a line does that is no example
 * @param validationPaths the same as {@code paths}, held out for validation
 * @param validationFraction share of examples held out, picked by content hash
 */
public record Chat(
    List<String> paths,
    Optional<String> template,
    TooLong tooLong,
    BadLines badLines,
    List<String> validationPaths,
    double validationFraction)
    implements Source {
  public Chat {
    paths = List.copyOf(paths);
    validationPaths = List.copyOf(validationPaths);
    Expectation e = new Expectation();
    e.notEmpty("paths", paths, "at least one file or folder");
    HeldOut.check(e, validationPaths, validationFraction);
    e.orThrow();
  }

  @Override
  public Chat absolute() {
    return new Chat(
        DataSpec.absolute(paths),
        template.map(name -> ChatTemplate.named(name) ? name : DataSpec.absolute(name)),
        tooLong,
        badLines,
        DataSpec.absolute(validationPaths),
        validationFraction);
  }

  @Override
  public boolean maskDocuments() {
    return true;
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "tooLong",
        TooLong.DROP,
        "badLines",
        BadLines.FAIL,
        "validationPaths",
        List.of(),
        "validationFraction",
        0.0);
  }
}
