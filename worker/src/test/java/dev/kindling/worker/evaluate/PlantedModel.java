package dev.kindling.worker.evaluate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Llama;
import java.util.Optional;

/**
 * Models over bytes whose distributions are known: attention and MLP write zeros, so the logits of
 * a token are a row of a table, by the token before it alone.
 */
final class PlantedModel {
  static final int BYTES = 256;

  /** Epsilon inside the norm: one-hot embeddings have a mean square of 1 / 256. */
  private static final double EPS = 1e-12;

  private static final Llama FAMILY =
      new Llama(
          BYTES,
          1,
          1,
          Optional.empty(),
          Optional.of(2),
          Optional.of(2),
          Optional.of(BYTES),
          64,
          false,
          0.02,
          10000.0,
          EPS);

  private PlantedModel() {}

  /** Logits by token before and token. */
  interface Table {
    double logit(int before, int token);
  }

  static Scorer of(Table table, int context, Backend backend) {
    Scorer scorer = new Scorer(FAMILY, context, backend);
    Span embedding = scorer.weight("model.embed_tokens.weight");
    Span head = scorer.weight("lm_head.weight");
    Span gain = scorer.weight("model.norm.weight");
    for (int before = 0; before < BYTES; before++) {
      embedding.putFloat((long) before * BYTES + before, 1);
      gain.putFloat(before, 1);
      for (int token = 0; token < BYTES; token++) {
        // The norm makes 16 of the one.
        float weight = (float) (table.logit(before, token) / 16);
        head.putFloat((long) token * BYTES + before, weight);
      }
    }
    scorer.params().forEach(param -> scorer.filled(param.name()));
    return scorer;
  }

  /** Every token is as likely as any other. */
  static Scorer uniform(int context, Backend backend) {
    return of((before, token) -> 0, context, backend);
  }
}
