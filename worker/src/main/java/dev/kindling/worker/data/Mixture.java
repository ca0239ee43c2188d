package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;

/**
 * Several sources, mixed by weights: every sequence of a part comes once in each of its own epochs,
 * and parts take turns in a fixed pattern, so a small part with a large weight is read several
 * times while a large one is read once; see {@link MixtureOrder}. Validation is over all parts'
 * validation sequences, by their numbers and not by the weights.
 *
 * @param parts what is mixed; documents are masked in all of them or in none, and in all where one
 *     is chat
 */
public record Mixture(List<MixturePart> parts) implements DataSpec {
  public Mixture {
    parts = List.copyOf(parts);
    int most = MixtureOrder.PERIOD / 2;
    new Expectation()
        .that(
            parts.size() >= 1 && parts.size() <= most,
            "parts",
            "1 to " + most + " parts",
            parts.size())
        .orThrow();
  }

  @Override
  public Mixture absolute() {
    return new Mixture(
        parts.stream()
            .map(part -> new MixturePart(part.weight(), part.data().absolute()))
            .toList());
  }

  @Override
  public boolean maskDocuments() {
    return parts.stream().anyMatch(part -> part.data().maskDocuments());
  }
}
