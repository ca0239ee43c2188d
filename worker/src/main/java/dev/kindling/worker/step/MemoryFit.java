package dev.kindling.worker.step;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.worker.plan.MemorySpec;
import dev.kindling.worker.plan.Recomputation;
import dev.kindling.worker.plan.WeightPlace;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Finds the saving that costs least time and fits. Pure arithmetic: a device is asked for nothing
 * but a price.
 */
public final class MemoryFit {
  /**
   * Enough that logits are no longer the largest piece; more chunks make products of few rows and
   * read and write the gradient of the head once more each.
   */
  private static final int LOSS_CHUNKS = 8;

  /** Bytes that a device would reserve for programs over these variables. */
  public interface Pricing {
    long bytes(List<Variable> variables, List<Graph> programs);
  }

  /** A saving and what the step then needs. */
  public record Candidate(MemorySaving saving, long bytes) {}

  private final TrainStep graphs;
  private final MemorySpec spec;
  private final Pricing pricing;

  public MemoryFit(TrainStep graphs, MemorySpec spec, Pricing pricing) {
    this.graphs = graphs;
    this.spec = spec;
    this.pricing = pricing;
  }

  /** What the specification admits, cheapest in time first, with its price. */
  public List<Candidate> candidates() {
    return savings().stream().map(saving -> new Candidate(saving, price(saving))).toList();
  }

  /** What costs least time, whatever it needs. */
  public MemorySaving first() {
    return savings().get(0);
  }

  /**
   * The first candidate of at most {@code limit} bytes.
   *
   * @throws DeviceException if none fits, with what would
   */
  public Candidate choose(long limit) {
    Candidate least = null;
    for (MemorySaving saving : savings()) {
      Candidate candidate = new Candidate(saving, price(saving));
      if (candidate.bytes() <= limit) {
        return candidate;
      }
      least = least == null || candidate.bytes() < least.bytes() ? candidate : least;
    }
    throw new DeviceException(tooLittle(java.util.Objects.requireNonNull(least), limit));
  }

  /** Whether the specification admits this saving. */
  public boolean admits(MemorySaving saving) {
    return savings().contains(saving);
  }

  public long price(MemorySaving saving) {
    return price(graphs.with(saving));
  }

  private long price(TrainStep step) {
    List<Graph> programs = step.programs();
    return pricing.bytes(TrainStep.variables(programs), programs);
  }

  private List<MemorySaving> savings() {
    if (!graphs.keepsActivations()) {
      int chunks = spec.lossChunks().orElse(LOSS_CHUNKS);
      boolean host = spec.weights() == WeightPlace.HOST;
      return List.of(new MemorySaving(Recompute.Level.NONE, chunks, host));
    }
    boolean auto = spec.recompute() == Recomputation.AUTO;
    List<MemorySaving> savings = new ArrayList<>();
    for (Recompute.Level level : Recompute.Level.values()) {
      if (!auto && !level.name().equals(spec.recompute().name())) {
        continue;
      }
      boolean last = !auto || level == Recompute.Level.ELEMENTS;
      if (spec.lossChunks().isPresent()) {
        savings.add(new MemorySaving(level, spec.lossChunks().get()));
      } else if (last) {
        savings.add(new MemorySaving(level, 1));
        savings.add(new MemorySaving(level, LOSS_CHUNKS));
      } else {
        savings.add(new MemorySaving(level, level == Recompute.Level.BLOCKS ? LOSS_CHUNKS : 1));
      }
    }
    return savings;
  }

  private String tooLittle(Candidate least, long limit) {
    return String.format(
        Locale.ROOT,
        "memory: a step of micro_batch %,d needs %,d bytes with %s, found %,d that may be reserved;"
            + " %s",
        graphs.shape().microTokens(),
        least.bytes(),
        least.saving(),
        limit,
        advice(limit));
  }

  private String advice(long limit) {
    MemorySaving most =
        graphs.keepsActivations() ? new MemorySaving(Recompute.Level.BLOCKS, LOSS_CHUNKS) : first();
    long bytes = price(most);
    if (bytes <= limit) {
      return String.format(
          Locale.ROOT, "memory.recompute auto would fit: %,d bytes with %s", bytes, most);
    }
    int sequences = graphs.shape().microTokens() / graphs.shape().sequence();
    int fits = 0;
    int tooMany = sequences;
    while (fits + 1 < tooMany) {
      int middle = (fits + tooMany) / 2;
      if (price(graphs.with(graphs.shape().ofSequences(middle).with(most))) <= limit) {
        fits = middle;
      } else {
        tooMany = middle;
      }
    }
    return fits == 0
        ? "not even a micro_batch of one sequence would fit"
        : String.format(
            Locale.ROOT,
            "the largest micro_batch that fits is %,d, with %s",
            fits * graphs.shape().sequence(),
            most);
  }
}
