package dev.kindling.worker.model;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.StorageLocation;
import java.util.Optional;

/**
 * The model of a Hugging Face directory: its shape and its first weights. What was found there is
 * written beside the path, so that a resolved configuration says what ran, and a run that starts
 * afresh notices another directory under the same path.
 *
 * @param path the directory (config.json, safetensors), local or a URI of any store, which every
 *     rank must reach; a run with a checkpoint needs it no more
 * @param sha256 of the files of weights, in the order of their names; filled in when a run starts
 * @param family what its config.json describes; filled in when the configuration is resolved
 */
public record Huggingface(String path, Optional<String> sha256, Optional<ModelFamily> family)
    implements ModelSpec {
  public Huggingface {
    Expectation e = new Expectation().notEmpty("path", path, "a model directory");
    e.sha256("sha256", sha256).orThrow();
  }

  @Override
  public ModelFamily withVocabulary(int tokenizerVocabulary) {
    ModelFamily known =
        family.orElseThrow(() -> new PlanException("model.path: " + path + " was not read yet"));
    int rows = known.vocabulary().orElse(tokenizerVocabulary);
    if (rows < tokenizerVocabulary) {
      throw new PlanException(
          path
              + ": expected a tokenizer of at most "
              + rows
              + " tokens (vocab_size of config.json), found "
              + tokenizerVocabulary);
    }
    return known.withVocabulary(tokenizerVocabulary);
  }

  @Override
  public Huggingface absolute() {
    return new Huggingface(StorageLocation.of(path).absolute().toString(), sha256, family);
  }
}
