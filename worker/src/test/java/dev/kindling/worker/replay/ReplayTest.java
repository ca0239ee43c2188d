package dev.kindling.worker.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.StoredTensor;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.HeldTarget;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.MezoStep;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whole zeroth-order runs, and their weights made again from their logs. */
class ReplayTest {
  private static final String BATCHES =
      """
      steps: %d
      global_batch: 128
      micro_batch: 32
      ranks: %d
      """;

  /** Its weights stay numbers, but products of three of them do not. */
  private static final String FAR_TOO_FAST = "optimizer.lr=1.0e+18";

  @TempDir private Path folder;

  private SmallRun run(String name, int steps, int ranks, String... sets) {
    List<String> all = new ArrayList<>();
    Collections.addAll(
        all, "optimizer.type=mezo", "optimizer.lr=0.0003", "validation.every_steps=0");
    Collections.addAll(all, sets);
    return SmallRun.in(
        folder.resolve(name), String.format(BATCHES, steps, ranks), all.toArray(String[]::new));
  }

  private SlopeLog log(String name) throws Exception {
    return SlopeLog.read(folder.resolve(name).resolve("run"));
  }

  private static Replay replay(SlopeLog log, Backend backend) {
    TrainPlan plan = PlanReader.fromYaml(log.header().config());
    MezoStep step = (MezoStep) WorkerTask.graphs(plan, log.header().vocabulary(), false);
    return new Replay(step, backend);
  }

  private static void fill(Replay replay, SlopeLog log) {
    long seed = PlanReader.fromYaml(log.header().config()).seed();
    replay.fill((param, from, target) -> Initialization.fill(param, seed, from, target));
  }

  private static Backend cpu() {
    return Backend.cpu(new CpuOptions(2, MatmulKind.JAVA));
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }

  private static void expectBits(Replay replay, Generation expected) throws Exception {
    Map<String, StoredTensor> tensors = expected.tensors(PartKind.MODEL);
    assertThat(replay.lastStep()).isEqualTo(expected.step());
    for (Param param : replay.params()) {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes(replay, param));
      assertThat(HexFormat.of().formatHex(hash))
          .as(param.name())
          .isEqualTo(tensors.get(param.name()).sha256());
    }
  }

  private static byte[] bytes(Replay replay, Param param) {
    byte[] bytes = new byte[(int) param.type().bytes()];
    replay.memory().span(param.name()).buffer().get(0, bytes);
    return bytes;
  }

  @Test
  void aThousandStepsOfTwoRanksComeBackBitForBit() throws Exception {
    SmallRun run = run("long", 1000, 2, "checkpoint.every_steps=0");
    SmallRun.Outcome outcome = run.run(new ThreadLauncher(), StopSignal.NEVER);
    assertThat(outcome.lossBits()).hasSize(1000);
    SlopeLog log = log("long");
    assertThat(log.records()).hasSize(1000);
    assertThat(log.bytes()).isBetween(16_000L, 16_000L + 8_000);
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      long start = System.nanoTime();
      assertThat(replay.apply(log)).isEqualTo(1000);
      System.out.printf(
          "replay: 1,000 steps, %,d bytes of log, %.3f s%n",
          log.bytes(), (System.nanoTime() - start) / 1e9);
      expectBits(replay, newest(run));
    }
  }

  @Test
  void directionsMasksAndMastersComeBackToo() throws Exception {
    for (String sets :
        List.of(
            "optimizer.directions=3 optimizer.weight_decay=0.1",
            "optimizer.sparsity=0.8",
            "optimizer.master=true optimizer.sparsity=0.5")) {
      String name = sets.replaceAll("\\W", "");
      SmallRun run = run(name, 12, 1, sets.split(" "));
      run.run(new ThreadLauncher(), StopSignal.NEVER);
      SlopeLog log = log(name);
      try (Backend backend = cpu();
          Replay replay = replay(log, backend)) {
        fill(replay, log);
        replay.apply(log);
        expectBits(replay, newest(run));
      }
    }
  }

  /** A worker that comes back needs the log from any checkpoint on, or from the first weights. */
  @Test
  void aRunThatWasStoppedAndWentOnComesBackFromEitherBase() throws Exception {
    String[] sets = {"optimizer.sparsity=0.7", "checkpoint.every_steps=5", "checkpoint.keep=9"};
    SmallRun run = run("stopped", 30, 2, sets);
    AtomicInteger polls = new AtomicInteger();
    StopSignal later =
        () -> polls.incrementAndGet() > 13 ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE;
    run.run(new ThreadLauncher(), later);
    assertThat(newest(run).step()).isLessThan(30);
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun whole = run("whole", 30, 1, sets);
    whole.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("stopped");
    assertThat(log.records()).hasSize(30).isEqualTo(log("whole").records());
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      replay.apply(log);
      expectBits(replay, newest(run));
      expectBits(replay, newest(whole));
      Generation base = run.store().generation(run.store().commits().get(2));
      assertThat(base.step()).isBetween(1L, 29L);
      for (var kind :
          Map.of(PartKind.MODEL, replay.weights(), PartKind.OPTIMIZER, replay.state()).entrySet()) {
        run.store()
            .load(
                base,
                kind.getKey(),
                kind.getValue().stream()
                    .map(held -> new HeldTarget(replay.memory(), held))
                    .toList());
      }
      replay.beginAfter(base.step());
      assertThat(replay.apply(log)).isEqualTo(30 - base.step());
      expectBits(replay, newest(run));
      replay.beginAfter(29);
      replay.apply(log);
      assertThatThrownBy(() -> expectBits(replay, newest(run))).isInstanceOf(AssertionError.class);
    }
  }

  /** The writer's buffer ends where it is full, also between the directions of a step. */
  @Test
  void aLastStepInPartDoesNotCountAndOthersAreRefused() throws Exception {
    SmallRun run = run("part", 4, 1, "optimizer.directions=3");
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("part");
    List<SlopeRecord> records = log.records();
    assertThat(records).hasSize(12);
    SlopeLog cut = new SlopeLog(log.headers(), records.subList(0, 11), log.bytes());
    List<SlopeRecord> gap = new ArrayList<>(records.subList(0, 5));
    gap.addAll(records.subList(6, 12));
    SlopeLog holed = new SlopeLog(log.headers(), gap, log.bytes());
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      assertThat(replay.apply(cut)).isEqualTo(3);
      assertThat(replay.lastStep()).isEqualTo(3);
      assertThat(replay.apply(log)).isEqualTo(1);
      expectBits(replay, newest(run));
      fill(replay, log);
      assertThatThrownBy(() -> replay.apply(holed))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining("step 2 of the log: expected 3 directions");
    }
  }

  /** Decay alone would change every weight of a skipped step that was taken for one of no slope. */
  @Test
  void skippedStepsOfARunComeBackAsSteps() throws Exception {
    SmallRun run =
        run("burst", 8, 2, "optimizer.weight_decay=0.1", "schedule={type: constant}", FAR_TOO_FAST);
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("burst");
    assertThat(log.records()).hasSize(8);
    assertThat(log.records().get(0).skipped()).isFalse();
    assertThat(log.records()).anyMatch(SlopeRecord::skipped);
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      assertThat(replay.apply(log)).isEqualTo(8);
      expectBits(replay, newest(run));
    }
  }

  @Test
  void aSkippedStepOfALogChangesNothingWhateverItsSlopes() throws Exception {
    SmallRun run = run("skip", 5, 1, "optimizer.directions=2", "optimizer.weight_decay=0.1");
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("skip");
    List<SlopeRecord> records = new ArrayList<>();
    for (SlopeRecord record : log.records()) {
      boolean third = record.step() == 3;
      records.add(
          new SlopeRecord(record.step(), record.direction(), record.slope(), record.rate(), third));
      assertThat(record.slope()).isNotZero();
    }
    SlopeLog skipping = new SlopeLog(log.headers(), records, log.bytes());
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      assertThat(replay.apply(skipping.upTo(2))).isEqualTo(2);
      List<byte[]> before = replay.params().stream().map(p -> bytes(replay, p)).toList();
      assertThat(replay.apply(skipping.upTo(3))).isEqualTo(1);
      assertThat(replay.lastStep()).isEqualTo(3);
      for (int i = 0; i < before.size(); i++) {
        assertThat(bytes(replay, replay.params().get(i))).isEqualTo(before.get(i));
      }
      assertThat(replay.apply(skipping)).isEqualTo(2);
      assertThat(bytes(replay, replay.params().get(0))).isNotEqualTo(before.get(0));
    }
  }

  @Test
  void anotherBaseIsRefused() throws Exception {
    SmallRun run = run("base", 3, 2);
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("base");
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      replay.expectBase(log.header());
      replay.fill((param, from, target) -> Initialization.fill(param, 3, from, target));
      assertThatThrownBy(() -> replay.expectBase(log.header()))
          .isInstanceOf(PlanException.class)
          .hasMessageContaining(
              "BASE: expected the weights with which the run began, hash "
                  + log.header().base().orElseThrow())
          .hasMessageContaining("found others, hash ");
    }
  }

  @Test
  void aLogThatBeginsTooLateIsRefused() throws Exception {
    SmallRun run = run("late", 6, 1);
    run.run(new ThreadLauncher(), StopSignal.NEVER);
    SlopeLog log = log("late");
    SlopeLog late = new SlopeLog(log.headers(), log.records().subList(2, 6), log.bytes());
    try (Backend backend = cpu();
        Replay replay = replay(log, backend)) {
      fill(replay, log);
      assertThatThrownBy(() -> replay.apply(late))
          .isInstanceOf(PlanException.class)
          .hasMessage("the log begins with step 3, expected step 1");
    }
  }
}
