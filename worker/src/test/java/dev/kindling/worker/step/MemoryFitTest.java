package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.rewrite.Recompute.Level;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.plan.GradientStorage;
import dev.kindling.worker.plan.MemorySpec;
import dev.kindling.worker.plan.Recomputation;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MemoryFitTest {
  private static final StepGraphs GRAPHS =
      new StepGraphs(
          new Gpt2(32, 4, 4, Optional.empty(), Optional.of(611), 64, true, 0.02, 1e-5),
          new Full(),
          new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0),
          new StepShape(256, 64, false, 1));

  private static MemoryFit fit(Recomputation recompute, Optional<Integer> chunks) {
    return new MemoryFit(
        GRAPHS,
        new MemorySpec(recompute, chunks, Optional.empty(), GradientStorage.AUTO),
        CpuBackend::planned);
  }

  private static MemoryFit auto() {
    return fit(Recomputation.AUTO, Optional.empty());
  }

  @Test
  void savesNoMoreThanTheLimitAsks() {
    List<MemoryFit.Candidate> candidates = auto().candidates();
    assertThat(candidates.stream().map(MemoryFit.Candidate::saving))
        .containsExactly(
            new MemorySaving(Level.NONE, 1),
            new MemorySaving(Level.ACTIVATIONS, 1),
            new MemorySaving(Level.ELEMENTS, 1),
            new MemorySaving(Level.ELEMENTS, 8),
            new MemorySaving(Level.BLOCKS, 8));
    for (int i = 0; i < candidates.size(); i++) {
      MemoryFit.Candidate each = candidates.get(i);
      assertThat(auto().choose(each.bytes())).isEqualTo(each);
      if (i > 0) {
        assertThat(each.bytes()).isLessThan(candidates.get(i - 1).bytes());
        assertThat(auto().choose(candidates.get(i - 1).bytes() - 1)).isEqualTo(each);
      }
    }
    assertThat(auto().first()).isEqualTo(MemorySaving.NONE);
  }

  @Test
  void whatTheConfigurationFixesStaysFixed() {
    MemoryFit blocks = fit(Recomputation.BLOCKS, Optional.empty());
    assertThat(blocks.first()).isEqualTo(new MemorySaving(Level.BLOCKS, 1));
    assertThat(blocks.admits(new MemorySaving(Level.BLOCKS, 8))).isTrue();
    assertThat(blocks.admits(MemorySaving.NONE)).isFalse();
    MemoryFit three = fit(Recomputation.AUTO, Optional.of(3));
    assertThat(three.candidates()).allMatch(candidate -> candidate.saving().lossChunks() == 3);
  }

  @Test
  void tooLittleMemoryNamesTheLargestMicroBatchThatFits() {
    MemorySaving most = new MemorySaving(Level.BLOCKS, 8);
    long ofThree = auto().price(most);
    StepShape three = GRAPHS.shape().ofSequences(3).with(most);
    MemoryFit smaller =
        new MemoryFit(
            GRAPHS.with(three),
            new MemorySpec(
                Recomputation.AUTO, Optional.empty(), Optional.empty(), GradientStorage.AUTO),
            CpuBackend::planned);
    long limit = smaller.price(most);
    assertThat(limit).isLessThan(ofThree);
    assertThatThrownBy(() -> auto().choose(limit))
        .isInstanceOf(DeviceException.class)
        .hasMessage(
            String.format(
                Locale.ROOT,
                "memory: a step of micro_batch 256 needs %,d bytes with recompute blocks, 8 loss"
                    + " chunks, found %,d that may be reserved; the largest micro_batch that fits is"
                    + " 192, with recompute blocks, 8 loss chunks",
                ofThree,
                limit));
    assertThatThrownBy(() -> auto().choose(1000))
        .hasMessageContaining("not even a micro_batch of one sequence would fit");
  }

  @Test
  void tooLittleMemoryForAFixedChoiceSaysThatAnotherWouldFit() {
    long limit = auto().price(new MemorySaving(Level.BLOCKS, 8));
    assertThatThrownBy(() -> fit(Recomputation.NONE, Optional.of(1)).choose(limit))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("needs")
        .hasMessageContaining("with recompute none, 1 loss chunk, found")
        .hasMessageContaining("memory.recompute auto would fit");
  }

  @Test
  void noChunkIsRefused() {
    assertThatThrownBy(() -> new MemorySaving(Level.NONE, 0))
        .isInstanceOf(PlanException.class)
        .hasMessage("loss_chunks: expected 1 or more, found 0");
  }
}
