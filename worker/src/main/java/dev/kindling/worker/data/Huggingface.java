package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.store.StorageLocation;
import java.nio.file.Files;
import java.util.Optional;

/**
 * A Hugging Face {@code tokenizer.json}.
 *
 * @param path the file, or a model folder that holds it; local or a URI of any store
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
    return new Huggingface(StorageLocation.of(path).absolute().toString(), documentSeparator);
  }

  /** The file itself; a URI that does not end in .json is a folder. */
  public StorageLocation file() {
    StorageLocation given = StorageLocation.of(path);
    boolean folder = given.path().map(Files::isDirectory).orElseGet(() -> !path.endsWith(".json"));
    return folder ? given.resolve("tokenizer.json") : given;
  }
}
