package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Role;
import dev.kindling.optim.rule.Sgd;
import dev.kindling.worker.data.BadLines;
import dev.kindling.worker.data.Batch;
import dev.kindling.worker.data.BatchReader;
import dev.kindling.worker.data.BatchSlice;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Chat;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.TooLong;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Packing examples changes no loss, and the mean is over all targets that count, wherever. */
class PackedExamplesTest {
  private static final long SEED = Long.getLong("seed", 3L);
  private static final int LENGTH = 48;
  private static final Optional<Integer> NONE = Optional.empty();
  private static final Optional<Integer> BYTES = Optional.of(256);

  private static final ModelFamily LLAMA =
      new Llama(
          16,
          2,
          2,
          Optional.of(1),
          NONE,
          NONE,
          BYTES,
          LENGTH,
          false,
          0.2,
          1e4,
          Optional.empty(),
          1e-5);
  private static final ModelFamily GPT2 = new Gpt2(16, 2, 2, NONE, BYTES, LENGTH, true, 0.2, 1e-5);

  @TempDir private Path folder;

  private TokenShards shards() throws IOException {
    Random random = new Random(SEED);
    List<String> lines = new ArrayList<>();
    for (int k = 0; k < 60; k++) {
      // Long prompts and short answers beside the opposite: ranks count very different numbers.
      boolean wordy = random.nextBoolean();
      String prompt = "q".repeat(1 + random.nextInt(wordy ? 3 : 30));
      String answer = "a" + k + "!".repeat(random.nextInt(wordy ? 30 : 3));
      lines.add("{\"prompt\": \"" + prompt + "\", \"completion\": \"" + answer + "\"}");
    }
    Path file = Files.write(folder.resolve("pairs.jsonl"), lines);
    Chat spec =
        new Chat(
            List.of(file.toString()), Optional.empty(), TooLong.DROP, BadLines.FAIL, List.of(), 0);
    return Preparation.prepare(spec, new Bytes(), LENGTH, folder.resolve("set"));
  }

  /** One rank with a model that masks documents. */
  private static final class Rank implements AutoCloseable {
    final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
    final StepProgram program;

    Rank(ModelFamily model, int sequences, Communicator data) {
      StepShape shape = new StepShape(sequences * LENGTH, LENGTH, true, 1);
      program =
          StepProgram.compile(
              new StepGraphs(model, new Full(), new Sgd(0.5, 0, false, 0, 0), shape),
              backend,
              data);
      program.fill(SEED);
    }

    /** A step over the slice's part of step 0. */
    StepOutcome step(TokenShards shards, BatchSlice slice) {
      try (BatchReader batches = BatchReader.training(shards, slice, SEED, 0)) {
        for (int micro = 1; micro < slice.microSteps(); micro++) {
          WorkerTask.write(batches.next(), program.inputs());
          program.accumulate();
        }
        WorkerTask.write(batches.next(), program.inputs());
        program.submit(1, 1.0, false);
        return program.outcome().copy();
      }
    }

    float[] weights() {
      return program.memory().arena(Role.PARAMETER).toFloats();
    }

    @Override
    public void close() {
      program.close();
      backend.close();
    }
  }

  @Test
  void theLossOfEachExampleIsThatOfItsRunAlone() throws IOException {
    TokenShards shards = shards();
    for (ModelFamily model : List.of(LLAMA, GPT2)) {
      int shared = 0;
      try (Rank rank = new Rank(model, 1, LoopbackCommunicator.create(1).get(0));
          BatchReader batches = BatchReader.training(shards, new BatchSlice(0, 1, 1, 1), SEED, 0)) {
        for (int sequence = 0; sequence < 8; sequence++) {
          Batch batch = batches.next();
          WorkerTask.write(batch, rank.program.inputs());
          StepOutcome packed = rank.program.evaluate().copy();
          double alone = 0;
          float counted = 0;
          int from = 0;
          while (from < LENGTH) {
            int to = from + 1;
            while (to < LENGTH && batch.segment(to) == batch.segment(from)) {
              to++;
            }
            writeAlone(batch, from, to, rank.program.inputs());
            StepOutcome outcome = rank.program.evaluate();
            alone += outcome.lossSum();
            counted += outcome.tokenCount();
            shared += outcome.tokenCount() > 0 ? 1 : 0;
            from = to;
          }
          assertThat(counted).isEqualTo(packed.tokenCount()).isPositive();
          assertThat(packed.lossSum())
              .as("seed %d, sequence %d", SEED, sequence)
              .isCloseTo((float) alone, within((float) (1e-5 * alone)));
        }
      }
      assertThat(shared).as("examples in 8 sequences").isGreaterThan(12);
    }
  }

  /** Tokens [from, to) of a batch at the start of a sequence that holds nothing else. */
  private static void writeAlone(Batch batch, int from, int to, StepInputs inputs) {
    for (int k = 0; k < LENGTH; k++) {
      boolean held = k < to - from;
      inputs.tokens().put(k, held ? batch.token(from + k) : 0);
      inputs.targets().put(k, held ? batch.target(from + k) : Batch.IGNORED);
      inputs.positions().put(k, k);
      inputs.segments().put(k, 0);
    }
  }

  @Test
  void ranksAndMicroStepsThatCountDifferentNumbersGiveTheMeanOverAllTargets() throws Exception {
    TokenShards shards = shards();
    List<Communicator> world = LoopbackCommunicator.create(2);
    try (Rank alone = new Rank(LLAMA, 8, LoopbackCommunicator.create(1).get(0));
        Rank first = new Rank(LLAMA, 2, world.get(0));
        Rank second = new Rank(LLAMA, 2, world.get(1))) {
      ExecutorService threads = Executors.newFixedThreadPool(2);
      try {
        Future<StepOutcome> one =
            threads.submit(() -> first.step(shards, new BatchSlice(0, 2, 8, 2)));
        Future<StepOutcome> two =
            threads.submit(() -> second.step(shards, new BatchSlice(1, 2, 8, 2)));
        StepOutcome whole = alone.step(shards, new BatchSlice(0, 1, 8, 8));
        assertThat(one.get()).isEqualTo(two.get());
        assertThat(one.get().tokenCount()).isEqualTo(whole.tokenCount());
        assertThat(one.get().loss()).isCloseTo(whole.loss(), within(1e-5f));
        assertThat(one.get().gradNorm()).isCloseTo(whole.gradNorm(), within(1e-4f));
      } finally {
        threads.shutdownNow();
      }
      float[] expected = alone.weights();
      float[] found = first.weights();
      for (int i = 0; i < expected.length; i++) {
        assertThat(found[i]).as("weight %d", i).isCloseTo(expected[i], within(1e-5f));
      }
      // Guards the test: a mean of the ranks' means would be another number.
      assertThat(countedBy(shards, 0)).isNotEqualTo(countedBy(shards, 1));
    }
  }

  private static int countedBy(TokenShards shards, int rank) {
    int counted = 0;
    try (BatchReader reader =
        BatchReader.training(shards, new BatchSlice(rank, 2, 8, 4), SEED, 0)) {
      Batch batch = reader.next();
      for (int k = 0; k < batch.size(); k++) {
        counted += batch.target(k) == Batch.IGNORED ? 0 : 1;
      }
    }
    return counted;
  }
}
