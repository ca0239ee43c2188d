package dev.kindling.worker.loop;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * A run of seconds over generated text, for tests of the loop and its launchers. Its steps are so
 * short that saves beside them would be left out now and then.
 */
public final class SmallRun {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 2, heads: 4, kv_heads: 2, mlp_width: 64, context: 32}
      data: {type: text, paths: [%s], validation_fraction: 0.3}
      tokenizer: {type: bytes}
      optimizer: {type: adamw, lr: 0.003}
      schedule: {type: cosine, warmup_steps: 2}
      validation: {every_steps: 4, batches: 3}
      checkpoint: {every_steps: 3, keep: 3, async: false}
      matmul: java
      threads: 1
      seed: 11
      sequence_length: 32
      """;

  private final Path folder;
  private final TrainPlan plan;
  private final TokenShards shards;
  private int attempt;

  private SmallRun(Path folder, TrainPlan plan, TokenShards shards) {
    this.folder = folder;
    this.plan = plan;
    this.shards = shards;
  }

  /**
   * @param settings lines of YAML for ranks, steps, batches and what else differs
   * @param sets {@code path=value} laid over all of it
   */
  public static SmallRun in(Path folder, String settings, String... sets) {
    try {
      Path text = Files.createDirectories(folder.resolve("text"));
      Random random = new Random(5);
      for (int file = 0; file < 12; file++) {
        StringBuilder words = new StringBuilder();
        while (words.length() < 3000) {
          words.append("int x").append(random.nextInt(9)).append(" = ").append(random.nextInt(50));
          words.append(random.nextBoolean() ? ";\n" : " + y;\n");
        }
        Files.writeString(text.resolve("f" + file + ".txt"), words);
      }
      TrainPlan plan =
          PretrainedPlan.describe(
                  PlanReader.read(
                      ConfigDocument.parse(String.format(CONFIG, text) + settings, "small.yaml"),
                      List.of(sets)))
              .value();
      TokenShards shards =
          Preparation.prepare(
              plan.data(), plan.tokenizer(), plan.sequenceLength(), folder.resolve("prepared"));
      return new SmallRun(folder, plan, shards);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What rank 0 reported, by step; a step that was run again counts once, the last time. */
  public record Outcome(
      Map<Long, Integer> lossBits, Map<Long, Integer> validationBits, List<WorkerResult> results) {}

  public Outcome run(Launcher launcher, StopSignal stop) throws InterruptedException {
    List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
    List<WorkerResult> results = launcher.run(assignment(), plan.ranks(), events::add, stop);
    return outcome(events, results);
  }

  /** As {@link #run}, telling the sink first. */
  public Outcome run(Launcher launcher, StopSignal stop, EventSink sink)
      throws InterruptedException {
    List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
    EventSink both =
        event -> {
          events.add(event);
          sink.emit(event);
        };
    List<WorkerResult> results = launcher.run(assignment(), plan.ranks(), both, stop);
    return outcome(events, results);
  }

  private static Outcome outcome(List<WorkerEvent> events, List<WorkerResult> results) {
    Map<Long, Integer> losses = new TreeMap<>();
    Map<Long, Integer> validation = new TreeMap<>();
    for (WorkerEvent event : List.copyOf(events)) {
      if (event instanceof StepDone done) {
        losses.put(done.step(), Float.floatToRawIntBits(done.loss()));
      } else if (event instanceof Validated validated) {
        validation.put(validated.step(), Float.floatToRawIntBits(validated.loss()));
      }
    }
    return new Outcome(losses, validation, results);
  }

  public CheckpointStore store() {
    return CheckpointStore.open(
        new LocalStorage(folder.resolve("run").resolve(WorkerTask.CHECKPOINTS)), 3);
  }

  public TrainPlan plan() {
    return plan;
  }

  TokenShards shards() {
    return shards;
  }

  /** Of the next attempt. */
  WorkerAssignment assignment() {
    long epoch = store().claimEpoch();
    return new WorkerAssignment(
        PlanReader.toYaml(plan),
        folder.resolve("run").toString(),
        shards.folder().toString(),
        ++attempt,
        epoch,
        "",
        new byte[32]);
  }
}
