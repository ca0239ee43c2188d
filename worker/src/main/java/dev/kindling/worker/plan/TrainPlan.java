package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.optim.outer.EveryStep;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.Sync;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.schedule.Cosine;
import dev.kindling.optim.schedule.Schedule;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.DataSpec;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelSpec;
import dev.kindling.worker.store.StorageLocation;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The whole run. Batches are counted in tokens. Travels between processes as the YAML text of
 * {@link PlanReader#toYaml}, so that every JVM checks it again.
 *
 * @param adapter which weights are trained, and what is added beside them
 * @param ranks number of workers
 * @param seed key of weights, sample order and everything else that is random
 * @param steps optimizer updates of the whole run
 * @param globalBatch tokens per step over all ranks
 * @param microBatch tokens per rank in one forward and backward pass
 * @param logicalShards in exact mode, the fixed number of summands of a gradient; a power of two
 * @param sequenceLength tokens per sample
 * @param matmul who multiplies matrices on the CPU
 * @param threads CPU threads per rank; 0 = cores of the machine / ranks on it, 1 in exact mode
 */
public record TrainPlan(
    ModelSpec model,
    DataSpec data,
    TokenizerSpec tokenizer,
    Descent optimizer,
    Schedule schedule,
    Adapter adapter,
    Sync sync,
    MeshSpec mesh,
    MemorySpec memory,
    CheckpointSpec checkpoint,
    RecoverySpec recovery,
    ValidationSpec validation,
    LogSpec log,
    GuardSpec guard,
    Determinism determinism,
    Device device,
    int ranks,
    long seed,
    long steps,
    long globalBatch,
    int microBatch,
    int logicalShards,
    int sequenceLength,
    LauncherKind launcher,
    MatrixProduct matmul,
    int threads,
    SparkSpec spark) {

  public TrainPlan {
    Expectation errors = new Expectation();
    errors.atLeast("ranks", ranks, 1);
    errors.atLeast("steps", steps, 1);
    errors.atLeast("global_batch", globalBatch, 1);
    errors.atLeast("micro_batch", microBatch, 1);
    errors.atLeast("sequence_length", sequenceLength, 1);
    errors.atLeast("logical_shards", logicalShards, 1);
    boolean counts = errors.holds();
    errors.atLeast("threads", threads, 0);
    errors.that(
        device != Device.CUDA || determinism != Determinism.EXACT || ranks <= 1,
        "determinism",
        "replay with device cuda and several ranks (NCCL adds in an order of its own)",
        determinism);
    errors.that(
        device != Device.CUDA || launcher != LauncherKind.THREADS || ranks <= 1,
        "launcher",
        "spark or processes with device cuda and several ranks (NCCL joins processes)",
        launcher);
    if (counts) {
      new Batches(ranks, globalBatch, microBatch, logicalShards, sequenceLength)
          .check(determinism, errors);
    }
    crossField(errors, model, schedule, steps, sequenceLength, new Threads(determinism, threads));
    if (adapter != null && model != null && !(adapter instanceof Full)) {
      model.family().ifPresent(family -> adapter.check(family, errors));
    }
    // Null only when the binder has already refused it and looks for further errors.
    if (mesh != null && mesh.zero() > 0) {
      pieces(errors, mesh, determinism, optimizer);
    }
    if (optimizer instanceof Mezo mezo) {
      MezoConditions.check(errors, mezo, adapter, mesh, memory);
    }
    MemorySpec.check(memory, optimizer, errors);
    if (sync instanceof OuterMethod method) {
      new SyncConditions(method, determinism, device, optimizer).check(mesh, memory, errors);
      SyncConditions.check(recovery, ranks, errors);
    }
    if (recovery != null && counts) {
      recovery.check(ranks, errors);
    }
    if (memory != null) {
      long perRank = counts ? globalBatch / ranks : microBatch;
      new GradientConditions(device, mesh, microBatch, perRank).check(memory.gradients(), errors);
      if (memory.gradients() == GradientStorage.LAYERWISE) {
        GradientConditions.layerwise(optimizer, adapter, determinism, errors);
      }
    }
    errors.orThrow();
    RuleFit.check(model, adapter, optimizer);
  }

  /** What ranks that spread state must not be asked. */
  private static void pieces(
      Expectation errors, MeshSpec mesh, Determinism determinism, @Nullable Descent optimizer) {
    errors.that(
        determinism != Determinism.EXACT,
        "mesh.zero",
        "0 with determinism exact (norms of pieces are summed rank by rank)",
        mesh.zero());
    errors.that(
        optimizer == null || keepsMasters(optimizer),
        "optimizer.master",
        "true with mesh.zero above 0 (pieces are rounded by no rule yet)",
        false);
    if (optimizer instanceof Optimizer descent) {
      descent.rules().stream()
          .flatMap(rule -> rule.obstacleToPieces().stream())
          .forEach(why -> errors.that(false, "mesh.zero", "0 with " + why, mesh.zero()));
    }
  }

  static boolean keepsMasters(Descent descent) {
    return !(descent instanceof Optimizer optimizer)
        || optimizer.rules().stream()
            .allMatch(rule -> !(rule instanceof AdamW adamW) || adamW.master());
  }

  /** Where the gradients of a step are. */
  public GradientLife gradientLife() {
    return optimizer instanceof Mezo
        ? GradientLife.SUMS
        : new GradientConditions(device, mesh, microBatch, globalBatch / ranks)
            .life(memory.gradients());
  }

  private record Threads(Determinism determinism, int count) {}

  /**
   * Rules between sections; those of batches are in {@link Batches}. A section is null only when
   * the binder has already refused it and looks for further errors.
   */
  private static void crossField(
      Expectation errors,
      @Nullable ModelSpec model,
      @Nullable Schedule schedule,
      long steps,
      int sequenceLength,
      Threads threads) {
    if (model != null) {
      int context = model.family().map(ModelFamily::context).orElse(Integer.MAX_VALUE);
      errors.that(
          sequenceLength <= context,
          "sequence_length",
          "at most model.context " + context,
          sequenceLength);
    }
    if (schedule != null) {
      errors.that(
          schedule.warmupSteps() <= Math.max(1, steps),
          "schedule.warmup_steps",
          "at most steps " + steps,
          schedule.warmupSteps());
    }
    errors.that(
        threads.determinism() != Determinism.EXACT || threads.count() <= 1,
        "threads",
        "0 or 1 with determinism exact (more threads change the order of sums)",
        threads.count());
  }

  /** The numbers that must divide each other. */
  private record Batches(int ranks, long global, int micro, int shards, int sequence) {
    void check(Determinism determinism, Expectation errors) {
      errors.multipleOf("micro_batch", micro, sequence, "sequence_length");
      errors.that(
          Integer.bitCount(shards) == 1,
          "logical_shards",
          "a power of two",
          shards + " (nearest: " + nearestPowers() + ")");
      switch (determinism) {
        case REPLAY ->
            errors.multipleOf(
                "global_batch",
                global,
                (long) ranks * micro,
                "ranks * micro_batch = " + ranks + " * " + micro);
        case EXACT -> {
          errors.divisorOf("ranks", ranks, shards, "logical_shards");
          errors.multipleOf(
              "global_batch",
              global,
              (long) shards * micro,
              "logical_shards * micro_batch = " + shards + " * " + micro);
        }
      }
    }

    private String nearestPowers() {
      int below = Integer.highestOneBit(shards);
      return below + " or " + 2L * below;
    }
  }

  /** Whether questions are asked while it trains. */
  public boolean asksQuestions() {
    return validation.everySteps() > 0 && validation.choices().isPresent();
  }

  /** What is allowed and may not be meant, a sentence each. */
  public List<String> warnings() {
    return SyncConditions.warnings(this);
  }

  /** Counts that follow from this plan. */
  public BatchArithmetic arithmetic() {
    return BatchArithmetic.of(this);
  }

  /** The same run from any working folder: relative input paths become absolute. */
  public TrainPlan absolute() {
    Inputs absolute =
        new Inputs(
            absolute(optimizer),
            adapter.absolute(),
            model.absolute(),
            data.absolute(),
            tokenizer.absolute(),
            validation.absolute());
    return with(absolute, ranks, spark);
  }

  private static Descent absolute(Descent optimizer) {
    return optimizer instanceof Mezo mezo
        ? mezo.withFile(file -> StorageLocation.of(file).absolute().toString())
        : optimizer;
  }

  /** The same run as others may see it: what Spark settings hide is a word. */
  public TrainPlan withoutSecrets() {
    return with(inputs(), ranks, spark.withoutSecrets());
  }

  /** The same run with {@code secrets} where {@link #withoutSecrets} left words; others go. */
  public TrainPlan withSecrets(Map<String, String> secrets) {
    return with(inputs(), ranks, spark.withSecrets(secrets));
  }

  /**
   * The same run by fewer ranks: the most that are at most so many, at least {@link
   * RecoverySpec#fewest}, and divide the batch.
   */
  public Optional<TrainPlan> onAtMost(int slots) {
    for (int fewer = slots; fewer >= recovery.fewest(ranks, determinism); fewer--) {
      try {
        return Optional.of(with(inputs(), fewer, spark));
      } catch (IllegalArgumentException indivisible) {
        continue;
      }
    }
    return Optional.empty();
  }

  /**
   * The same run of a model that is known better, with a tokenizer.
   *
   * @throws IllegalArgumentException if they do not fit the rest, as {@code key: what is wrong}
   */
  public TrainPlan withModel(ModelSpec known, TokenizerSpec fitting) {
    return with(new Inputs(optimizer, adapter, known, data, fitting, validation), ranks, spark);
  }

  /** The same run with an adapter and a rule that are known better. */
  public TrainPlan with(Adapter known, Descent rule) {
    Inputs inputs = new Inputs(rule, known, model, data, tokenizer, validation);
    return inputs.equals(inputs()) ? this : with(inputs, ranks, spark);
  }

  /** What a run reads. */
  private record Inputs(
      Descent optimizer,
      Adapter adapter,
      ModelSpec model,
      DataSpec data,
      TokenizerSpec tokenizer,
      ValidationSpec validation) {}

  private Inputs inputs() {
    return new Inputs(optimizer, adapter, model, data, tokenizer, validation);
  }

  private TrainPlan with(Inputs inputs, int newRanks, SparkSpec newSpark) {
    return new TrainPlan(
        inputs.model(),
        inputs.data(),
        inputs.tokenizer(),
        inputs.optimizer(),
        schedule,
        inputs.adapter(),
        sync,
        mesh,
        memory,
        checkpoint,
        recovery,
        inputs.validation(),
        log,
        guard,
        determinism,
        device,
        newRanks,
        seed,
        steps,
        globalBatch,
        microBatch,
        logicalShards,
        sequenceLength,
        launcher,
        matmul,
        threads,
        newSpark);
  }

  public static Map<String, Object> defaults() {
    return Map.ofEntries(
        Map.entry("tokenizer", new Bytes()),
        Map.entry("schedule", new Cosine(0, 0.1)),
        Map.entry("adapter", new Full()),
        Map.entry("sync", new EveryStep()),
        Map.entry("mesh", new MeshSpec(0)),
        Map.entry("memory", MemorySpec.DEFAULT),
        Map.entry("checkpoint", CheckpointSpec.DEFAULT),
        Map.entry("recovery", RecoverySpec.DEFAULT),
        Map.entry("validation", new ValidationSpec(100, 8, Optional.empty())),
        Map.entry("log", new LogSpec(1)),
        Map.entry("guard", new GuardSpec(100, 6.0, 3, 100, 3)),
        Map.entry("determinism", Determinism.REPLAY),
        Map.entry("device", Device.CPU),
        Map.entry("ranks", 1),
        Map.entry("seed", 1L),
        Map.entry("logicalShards", 8),
        Map.entry("launcher", LauncherKind.SPARK),
        Map.entry("matmul", MatrixProduct.OPENBLAS),
        Map.entry("threads", 0),
        Map.entry("spark", new SparkSpec(Optional.empty(), Duration.ofMinutes(5), Map.of())));
  }
}
