package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.replay.Replay;
import dev.kindling.worker.replay.SlopeHeader;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.replay.SlopeRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Zeroth-order steps on the GPU, against themselves and against the CPU. */
@Tag("gpu")
class MezoGpuTest {
  private static final int STEPS = 20;
  private static final Optional<Integer> ROWS = Optional.of(StepRank.VOCABULARY);

  private static ModelFamily model(boolean gpt2) {
    int context = StepRank.SEQUENCE;
    return gpt2
        ? new Gpt2(128, 2, 2, Optional.empty(), ROWS, context, true, 0.1, 1e-5)
        : new Llama(
            128,
            2,
            2,
            Optional.of(1),
            Optional.empty(),
            Optional.of(200),
            ROWS,
            context,
            false,
            0.1,
            1e4,
            1e-5);
  }

  private static MezoStep step(boolean gpt2, Mezo rule) {
    StepShape shape = new StepShape(8 * StepRank.SEQUENCE, StepRank.SEQUENCE, false, 1, 0);
    MezoStep plain = new MezoStep(model(gpt2), new Full(), rule, shape, 1, StepRank.SEED);
    return plain.with(shape.with(new MemorySaving(MemorySaving.NONE.recompute(), 2)));
  }

  private static Backend gpu(boolean captured) {
    return Backend.cuda(new CudaOptions(0, Precision.BF16, captured, false));
  }

  private static StepRank rank(MezoStep step, Backend backend) {
    StepRank rank = new StepRank(step, LoopbackCommunicator.create(1).get(0), backend);
    rank.program().dryRun();
    rank.fill();
    return rank;
  }

  private static List<int[]> bits(Memory memory, List<Param> params) {
    List<int[]> all = new ArrayList<>();
    for (Param param : params) {
      memory.fetch(param.name());
      Span span = memory.span(param.name());
      int[] bits = new int[(int) param.shape().elements()];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = span.getInt(i);
      }
      all.add(bits);
    }
    return all;
  }

  private static Mezo rule(int kind) {
    return switch (kind) {
      case 0 -> new Mezo(1e-3, 1e-2, 1, 0, 0, false);
      case 1 -> new Mezo(1e-3, 1e-2, 2, 0.1, 0.6, false);
      default -> new Mezo(1e-3, 1e-2, 3, 0.1, 0.5, true);
    };
  }

  private static List<int[]> replayed(MezoStep step, SlopeLog log, Backend backend) {
    try (backend;
        Replay replay = new Replay(step, backend)) {
      replay.fill((param, from, target) -> Initialization.fill(param, StepRank.SEED, from, target));
      replay.apply(log);
      return bits(replay.memory(), replay.params());
    }
  }

  /** Copies beside the main stream and updates through the bus: the bits of weights on the GPU. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void weightsOnTheHostGiveTheBitsOfWeightsOnTheDevice(int kind) {
    for (boolean gpt2 : new boolean[] {false, true}) {
      MezoStep plain = step(gpt2, rule(kind));
      MemorySaving saving = new MemorySaving(MemorySaving.NONE.recompute(), 2, true);
      MezoStep hosted = plain.with(plain.shape().with(saving));
      List<StepOutcome> outcomes = new ArrayList<>();
      List<int[]> weights;
      float loss;
      try (StepRank device = rank(plain, gpu(true))) {
        for (int step = 0; step < STEPS; step++) {
          outcomes.add(device.step(8 * step, 8).copy());
        }
        weights = bits(device.program().memory(), device.program().params());
        device.write(0);
        loss = device.program().evaluate().lossSum();
      }
      for (boolean captured : new boolean[] {true, false}) {
        try (StepRank host = rank(hosted, gpu(captured))) {
          for (int step = 0; step < STEPS; step++) {
            assertThat(host.step(8 * step, 8)).isEqualTo(outcomes.get(step));
          }
          List<int[]> found = bits(host.program().memory(), host.program().params());
          for (int i = 0; i < found.size(); i++) {
            String name = host.program().params().get(i).name();
            assertThat(found.get(i)).as(name).isEqualTo(weights.get(i));
          }
          host.write(0);
          // On the device query, key and value are one product, whose sums may go another way.
          assertThat(host.program().evaluate().lossSum()).isCloseTo(loss, within(loss * 1e-3f));
        }
      }
    }
  }

  /** What the GPU did comes back on the CPU, and on the GPU, bit for bit. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void aRunOfTheGpuIsReplayedByTheCpu(int kind) {
    for (boolean gpt2 : new boolean[] {false, true}) {
      MezoStep step = step(gpt2, rule(kind));
      List<SlopeRecord> records = new ArrayList<>();
      List<int[]> live;
      try (StepRank rank = rank(step, gpu(true))) {
        for (int number = 1; number <= STEPS; number++) {
          StepOutcome outcome = rank.step(8 * number, 8);
          assertThat(outcome.skipped()).isFalse();
          for (int j = 0; j < outcome.directions(); j++) {
            records.add(new SlopeRecord(number, j, outcome.projected(j), 1e-3f, false));
          }
        }
        live = bits(rank.program().memory(), rank.program().params());
      }
      SlopeHeader header =
          new SlopeHeader(0, StepRank.VOCABULARY, Optional.empty(), "0".repeat(64), "");
      SlopeLog log = new SlopeLog(List.of(header), records, 0);
      List<int[]> cpu = replayed(step, log, StepRank.cpu());
      List<int[]> gpu = replayed(step, log, gpu(false));
      for (int i = 0; i < live.size(); i++) {
        assertThat(cpu.get(i)).as("CPU, parameter %d", i).isEqualTo(live.get(i));
        assertThat(gpu.get(i)).as("GPU, parameter %d", i).isEqualTo(live.get(i));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void capturedEqualsEagerAndIsNearTheCpu(boolean gpt2) {
    MezoStep step = step(gpt2, rule(2));
    try (StepRank captured = rank(step, gpu(true));
        StepRank eager = rank(step, gpu(false));
        StepRank cpu = rank(step, StepRank.cpu())) {
      for (int number = 0; number < STEPS; number++) {
        StepOutcome outcome = captured.step(8 * number, 8);
        assertThat(eager.step(8 * number, 8)).isEqualTo(outcome);
        StepOutcome reference = cpu.step(8 * number, 8);
        assertThat(outcome.loss()).isCloseTo(reference.loss(), within(0.02f));
      }
      assertThat(bits(captured.program().memory(), captured.program().params()))
          .usingRecursiveComparison()
          .isEqualTo(bits(eager.program().memory(), eager.program().params()));
    }
  }

  /** Micro-batches read the step block of their step, also where it lies in another slot. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void microBatchesEqualOneLargeBatchNearly(boolean captured) {
    MezoStep whole = step(false, rule(2));
    StepShape two = new StepShape(2 * StepRank.SEQUENCE, StepRank.SEQUENCE, false, 1, 0);
    try (StepRank one = rank(whole, gpu(captured));
        StepRank parts = rank(whole.with(two), gpu(captured))) {
      for (int number = 0; number < 4; number++) {
        StepOutcome expected = one.step(8 * number, 8);
        StepOutcome found = parts.step(8 * number, 8);
        assertThat(found.loss()).isCloseTo(expected.loss(), within(5e-3f));
        for (int j = 0; j < 3; j++) {
          assertThat(found.projected(j)).isCloseTo(expected.projected(j), within(1f));
        }
      }
    }
  }
}
