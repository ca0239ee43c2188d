package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.Optional;

/**
 * A Hugging Face {@code tokenizer.json}.
 *
 * @param path the file, or a model folder that holds it
 * @param documentSeparator the token between documents; default: the first of the usual end tokens
 *     that the vocabulary has
 */
public record Huggingface(String path, Optional<String> documentSeparator)
    implements TokenizerSpec {
  public Huggingface {
    new Expectation().notEmpty("path", path, "a file").orThrow();
  }

  @Override
  public Huggingface absolute() {
    return new Huggingface(DataSpec.absolute(path), documentSeparator);
  }
}
