package dev.kindling.worker.model;

import dev.kindling.kernels.graph.PlanException;
import java.util.Optional;

/** What {@code model:} of a configuration names; {@code type:} picks the record. */
public sealed interface ModelSpec permits ModelFamily, Huggingface {

  /** The family; empty for a model directory that nobody has looked into yet. */
  Optional<ModelFamily> family();

  /**
   * The family with its vocabulary fixed: the tokenizer's where none is configured. A larger
   * configured vocabulary stays (rows that no token uses).
   *
   * @throws PlanException if the table is too small for the tokenizer
   */
  ModelFamily withVocabulary(int tokenizerVocabulary);

  /** The same model from any working folder. */
  ModelSpec absolute();
}
