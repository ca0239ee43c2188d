package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.ProcessLauncher;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.replay.SlopeRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Zeroth-order runs that lose a rank: the next attempt goes on where the slopes end. */
class RejoinTest {
  private static final String BATCHES =
      """
      steps: 24
      global_batch: 128
      micro_batch: 32
      ranks: 2
      log: {every_steps: 1}
      """;

  private static final List<String> OPTIONS =
      List.of("--add-modules=jdk.incubator.vector", "-Xmx256m");

  @TempDir private Path folder;
  private final List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());

  private SmallRun run(String name, String... sets) {
    List<String> all = new ArrayList<>(List.of("optimizer.type=mezo", "optimizer.lr=0.0003"));
    Collections.addAll(all, sets);
    return SmallRun.in(folder.resolve(name), BATCHES, all.toArray(String[]::new));
  }

  private Path log(String name) throws IOException {
    try (Stream<Path> files = Files.list(folder.resolve(name).resolve("run/slopes"))) {
      return files.sorted().toList().get(0);
    }
  }

  private static Generation newest(SmallRun run) {
    return run.store().newestValid(new ArrayList<>()).orElseThrow();
  }

  /** Ranks poll once a step; the poll of one of them kills it. */
  private void untilRankDies(SmallRun run, int polls) {
    AtomicInteger polled = new AtomicInteger();
    StopSignal death =
        () -> {
          if (polled.incrementAndGet() == polls) {
            throw new IllegalStateException("killed by the test");
          }
          return StopRequest.NONE;
        };
    assertThatThrownBy(() -> run.run(new ThreadLauncher(), death, events::add))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("killed by the test");
  }

  private static void killOneChild() {
    ProcessHandle.current()
        .children()
        .filter(child -> child.info().commandLine().orElse("").contains("WorkerMain"))
        .findFirst()
        .orElseThrow()
        .destroyForcibly();
  }

  private static Map<Long, Integer> losses(List<WorkerEvent> events) {
    Map<Long, Integer> losses = new TreeMap<>();
    for (WorkerEvent event : List.copyOf(events)) {
      if (event instanceof StepDone done) {
        losses.put(done.step(), Float.floatToRawIntBits(done.loss()));
      } else if (event instanceof StepRecalled recalled) {
        losses.put(recalled.step().step(), Float.floatToRawIntBits(recalled.step().loss()));
      }
    }
    return losses;
  }

  private List<String> rejoined() {
    List<String> lines = new ArrayList<>();
    for (WorkerEvent event : List.copyOf(events)) {
      if (event instanceof LogLine line && line.text().contains("logged slopes")) {
        lines.add(line.text());
      }
    }
    return lines;
  }

  private void expectSame(SmallRun run, SmallRun calm, SmallRun.Outcome expected) {
    Generation found = newest(run);
    assertThat(found.step()).isEqualTo(24);
    for (PartKind kind : List.of(PartKind.MODEL, PartKind.OPTIMIZER)) {
      assertThat(found.tensors(kind).values())
          .extracting(tensor -> tensor.name() + tensor.sha256())
          .isEqualTo(
              newest(calm).tensors(kind).values().stream()
                  .map(tensor -> tensor.name() + tensor.sha256())
                  .toList());
    }
    assertThat(found.state().trajectory()).isEqualTo(newest(calm).state().trajectory());
    assertThat(found.stateHash()).isEqualTo(newest(calm).stateHash());
    assertThat(losses(events)).isEqualTo(expected.lossBits());
  }

  @Test
  void aRankThatDiesTwiceLosesNoStepAndNoBit() throws Exception {
    for (String sets :
        List.of(
            "checkpoint.every_steps=0",
            "checkpoint.every_steps=7 optimizer.directions=3 optimizer.weight_decay=0.1",
            "checkpoint.every_steps=5 optimizer.sparsity=0.7",
            "checkpoint.every_steps=0 adapter.type=lora adapter.rank=4 optimizer.eps=0.01")) {
      String name = sets.replaceAll("\\W", "");
      events.clear();
      SmallRun calm = run("calm-" + name, sets.split(" "));
      SmallRun.Outcome expected = calm.run(new ThreadLauncher(), StopSignal.NEVER);
      SmallRun hurt = run("hurt-" + name, sets.split(" "));
      untilRankDies(hurt, 21);
      untilRankDies(hurt, 15);
      int before = events.size();
      hurt.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
      List<WorkerEvent> last = List.copyOf(events).subList(before, events.size());
      long first =
          last.stream()
              .filter(StepDone.class::isInstance)
              .mapToLong(event -> ((StepDone) event).step())
              .min()
              .orElseThrow();
      long logged = SlopeLog.read(folder.resolve("hurt-" + name).resolve("run")).lastStep();
      assertThat(logged).isEqualTo(24);
      assertThat(first).as(sets).isGreaterThan(14);
      assertThat(rejoined()).as(sets).isNotEmpty();
      expectSame(hurt, calm, expected);
    }
  }

  /** A process that is killed for good; the log may end in half a record. */
  @Test
  void aKilledProcessIsReplacedAndTheNewOneHasTheSameWeights() throws Exception {
    SmallRun calm = run("calm", "checkpoint.every_steps=0");
    SmallRun.Outcome expected = calm.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun hurt = run("hurt", "checkpoint.every_steps=0");
    AtomicBoolean killed = new AtomicBoolean();
    assertThatThrownBy(
            () ->
                hurt.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      events.add(event);
                      if (event instanceof StepDone done
                          && done.step() == 9
                          && killed.compareAndSet(false, true)) {
                        killOneChild();
                      }
                    }))
        .isInstanceOf(AttemptFailedException.class);
    Files.write(log("hurt"), new byte[] {9, 0, 0, 0, 7}, StandardOpenOption.APPEND);
    hurt.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER, events::add);
    assertThat(rejoined()).hasSize(1);
    assertThat(rejoined().get(0)).startsWith("steps 1 to ");
    expectSame(hurt, calm, expected);
  }

  /** What was measured may have died with its process: it is measured and told again. */
  @Test
  void theLastMeasurementIsToldAgain() throws Exception {
    SmallRun hurt = run("hurt", "checkpoint.every_steps=0", "validation.every_steps=4");
    untilRankDies(hurt, 25);
    Map<Long, Float> measured = new TreeMap<>();
    for (WorkerEvent event : List.copyOf(events)) {
      if (event instanceof Validated validated) {
        measured.put(validated.step(), validated.loss());
      }
    }
    assertThat(measured).containsKey(8L);
    events.clear();
    hurt.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
    List<StepRecalled> recalled =
        List.copyOf(events).stream()
            .filter(StepRecalled.class::isInstance)
            .map(StepRecalled.class::cast)
            .filter(each -> !Float.isNaN(each.validationLoss()))
            .toList();
    assertThat(recalled).hasSize(1);
    long step = recalled.get(0).step().step();
    assertThat(recalled.get(0).validationLoss()).isEqualTo(measured.get(step));
  }

  /** A slope that was changed leads elsewhere: it is the log that the weights come from. */
  @Test
  void theWeightsComeFromTheLog() throws Exception {
    SmallRun calm = run("calm", "checkpoint.every_steps=0");
    calm.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun hurt = run("hurt", "checkpoint.every_steps=0");
    untilRankDies(hurt, 21);
    byte[] bytes = Files.readAllBytes(log("hurt"));
    bytes[bytes.length - 5 * SlopeRecord.BYTES + 5] ^= 1;
    Files.write(log("hurt"), bytes);
    hurt.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
    assertThat(rejoined()).hasSize(1);
    assertThat(newest(hurt).stateHash()).isNotEqualTo(newest(calm).stateHash());
  }

  @Test
  void aLogOverOtherWeightsIsRefused() throws Exception {
    SmallRun hurt = run("hurt", "checkpoint.every_steps=0");
    untilRankDies(hurt, 21);
    String text = Files.readString(log("hurt"), StandardCharsets.ISO_8859_1);
    int at = text.indexOf("base ") + 5;
    char digit = text.charAt(at) == '0' ? '1' : '0';
    String other = text.substring(0, at) + digit + text.substring(at + 1);
    Files.writeString(log("hurt"), other, StandardCharsets.ISO_8859_1);
    assertThatThrownBy(() -> hurt.run(new ThreadLauncher(), StopSignal.NEVER, events::add))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("expected the weights with which the run began, hash " + digit)
        .hasMessageContaining("found others, hash");
  }

  /** Steps of other settings are no steps of this run: they are computed, not taken. */
  @Test
  void aLogOfOtherSettingsIsNotTaken() throws Exception {
    SmallRun hurt = run("hurt", "checkpoint.every_steps=0");
    untilRankDies(hurt, 21);
    SmallRun changed = run("hurt", "checkpoint.every_steps=0", "optimizer.eps=0.002");
    changed.run(new ThreadLauncher(), StopSignal.NEVER, events::add);
    assertThat(rejoined()).isEmpty();
  }
}
