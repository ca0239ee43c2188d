package dev.kindling.driver.cli;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.worker.adapt.Full;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.checkpoint.StoredTensor;
import dev.kindling.worker.loop.HeldTarget;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.replay.Replay;
import dev.kindling.worker.replay.SlopeHeader;
import dev.kindling.worker.replay.SlopeLog;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The weights of a zeroth-order run, made again on the CPU. */
final class WeightReplay {
  private static final String SEED = "seed";
  private static final int PIECE_BYTES = 1 << 20;

  private final Path place;
  private final String base;
  private final PrintWriter out;

  WeightReplay(Path place, String base, PrintWriter out) {
    this.place = place;
    this.base = base;
    this.out = out;
  }

  /** Returns the exit code. */
  int run(Optional<String> check, Optional<Path> target) throws IOException {
    Optional<Generation> expected = Optional.empty();
    if (check.isPresent()) {
      List<Generation> all = generations(check.get());
      expected = Optional.of(all.get(all.size() - 1));
    }
    SlopeLog log = SlopeLog.read(place).upTo(expected.map(Generation::step).orElse(Long.MAX_VALUE));
    TrainPlan plan = PlanReader.fromYaml(log.header().config());
    if (!(WorkerTask.graphs(plan, log.header().vocabulary(), plan.data().maskDocuments())
        instanceof MezoStep step)) {
      throw new PlanException(place + ": expected optimizer mezo, found " + plan.optimizer());
    }
    if (target.isPresent() && !(plan.adapter() instanceof Full)) {
      throw new PlanException(
          "--to: expected a run that trains whole models, found an adapter of "
              + place
              + "; kindling export writes it");
    }
    int cores = Runtime.getRuntime().availableProcessors();
    try (Backend backend = Backend.cpu(new CpuOptions(cores, MatmulKind.JAVA));
        Replay replay = new Replay(step, backend)) {
      begin(replay, plan, log);
      expectOneRule(log.behind(replay.lastStep()));
      long start = System.nanoTime();
      long steps = replay.apply(log);
      double seconds = (System.nanoTime() - start) / 1e9;
      out.printf(
          Locale.ROOT,
          "replayed %,d steps up to step %,d in %.3f s; %,d bytes of log, %,d of them records%n",
          steps,
          replay.lastStep(),
          seconds,
          log.bytes(),
          16L * log.records().size());
      if (target.isPresent()) {
        write(replay, plan, step, target.get());
      }
      return expected.map(generation -> compare(replay, generation)).orElse(ExitCodes.DONE);
    }
  }

  /**
   * What an update does beside its slopes and rates, which are in the log: a resumption may have
   * changed it with {@code --accept-change}.
   */
  private record Rule(
      long seed, int directions, double weightDecay, double sparsity, boolean master) {
    static Rule of(SlopeHeader header) {
      TrainPlan plan = PlanReader.fromYaml(header.config());
      if (!(plan.optimizer() instanceof Mezo mezo)) {
        throw new PlanException("expected optimizer mezo, found " + plan.optimizer());
      }
      return new Rule(
          plan.seed(), mezo.directions(), mezo.weightDecay(), mezo.sparsity(), mezo.master());
    }
  }

  /** Steps of an earlier rule under a later one would give weights that no run had. */
  private void expectOneRule(List<SlopeHeader> headers) {
    for (int i = 1; i < headers.size(); i++) {
      Rule before = Rule.of(headers.get(i - 1));
      Rule after = Rule.of(headers.get(i));
      if (!before.equals(after)) {
        throw new PlanException(
            place
                + ": expected steps of one rule behind BASE, found "
                + before
                + " up to step "
                + headers.get(i).start()
                + " and "
                + after
                + " behind it; expected as BASE a run whose oldest checkpoint is of step "
                + headers.get(i).start()
                + " or later");
      }
    }
  }

  private void begin(Replay replay, TrainPlan plan, SlopeLog log) throws IOException {
    if (base.equals(SEED)) {
      if (plan.model() instanceof dev.kindling.worker.model.Huggingface model) {
        throw new PlanException(
            "BASE: expected the model directory from which the run began, "
                + model.path()
                + ", found seed");
      }
      replay.fill((param, from, span) -> Initialization.fill(param, plan.seed(), from, span));
      replay.expectBase(log.header());
      return;
    }
    InputFolder folder = new InputFolder(StorageLocation.of(base));
    if (ModelDirectory.isOne(folder)) {
      try (PretrainedWeights weights = PretrainedWeights.open(ModelDirectory.open(folder))) {
        requireBase(plan, weights);
        replay.fill(weights);
      }
      replay.expectBase(log.header());
      return;
    }
    Generation first = generations(base).get(0);
    SlopeHeader then = log.upTo(first.step()).header();
    expectSameRule(PlanReader.fromYaml(then.config()), PlanReader.fromYaml(first.facts().config()));
    CheckpointStore store = store(base);
    Set<String> moved = moved(replay).stream().map(Param::name).collect(Collectors.toSet());
    List<Held> stored = replay.weights().stream().filter(w -> moved.contains(w.name())).toList();
    load(store, first, PartKind.MODEL, replay, stored);
    load(store, first, PartKind.OPTIMIZER, replay, replay.state());
    replay.beginAfter(first.step());
  }

  /** The configuration in the log holds the hash of the model directory of the run. */
  private void requireBase(TrainPlan plan, PretrainedWeights weights) {
    if (plan.model() instanceof dev.kindling.worker.model.Huggingface model) {
      String found = weights.sha256();
      String expected = model.sha256().orElse(found);
      if (!expected.equals(found)) {
        throw new PlanException(
            "BASE: expected the weights of model.sha256 "
                + expected
                + " with which the run began, found "
                + found
                + " in "
                + base);
      }
    }
  }

  /** A checkpoint of another run would be moved along directions that were never measured there. */
  private void expectSameRule(TrainPlan own, TrainPlan found) {
    for (Function<TrainPlan, Object> part :
        List.<Function<TrainPlan, Object>>of(
            TrainPlan::model, TrainPlan::adapter, TrainPlan::optimizer, TrainPlan::seed)) {
      if (!part.apply(own).equals(part.apply(found))) {
        throw new PlanException(
            "BASE: "
                + base
                + " is of another run than the log; expected "
                + part.apply(own)
                + ", found "
                + part.apply(found));
      }
    }
  }

  /** What the checkpoints of a run hold: beside an adapter the model stays as it was. */
  private static List<Param> moved(Replay replay) {
    return replay.params().stream().filter(Mezo::moves).toList();
  }

  private static void load(
      CheckpointStore store, Generation from, PartKind kind, Replay replay, List<Held> held) {
    if (!held.isEmpty()) {
      store.load(
          from, kind, held.stream().map(each -> new HeldTarget(replay.memory(), each)).toList());
    }
  }

  private static CheckpointStore store(String run) {
    return CheckpointStore.open(
        StorageLocation.of(run).resolve(WorkerTask.CHECKPOINTS).open(Map.of()), 2);
  }

  /** Oldest first; at least one. */
  private static List<Generation> generations(String run) {
    CheckpointStore store = store(run);
    List<Generation> all = new ArrayList<>();
    store.commits().forEach(id -> all.add(0, store.generation(id)));
    if (all.isEmpty()) {
      throw new CheckpointException(run + " holds no checkpoint");
    }
    return all;
  }

  private int compare(Replay replay, Generation expected) {
    if (replay.lastStep() != expected.step()) {
      throw new CheckpointException(
          place
              + ": expected steps up to the checkpoint of step "
              + expected.step()
              + ", found them up to "
              + replay.lastStep());
    }
    Map<String, StoredTensor> tensors = expected.tensors(PartKind.MODEL);
    for (Param param : moved(replay)) {
      StoredTensor stored = tensors.get(param.name());
      String hash = hash(replay, param);
      if (stored == null || !stored.sha256().equals(hash)) {
        out.println("differs from the checkpoint of step " + expected.step() + ": " + param.name());
        return ExitCodes.DIFFERENT;
      }
    }
    out.println("equal to the checkpoint of step " + expected.step() + ", every bit");
    return ExitCodes.DONE;
  }

  private static String hash(Replay replay, Param param) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(replay.memory().span(param.name()).buffer().duplicate());
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException("every JDK has SHA-256", missing);
    }
  }

  private void write(Replay replay, TrainPlan plan, MezoStep step, Path target) {
    try (ExportedTensors weights = new Weights(replay)) {
      HuggingFaceExport.write(
          weights,
          Map.of(),
          new HuggingFaceExport.Companions(step.model().huggingFaceConfig(), Map.of()),
          HuggingFaceExport.SHARD_BYTES,
          target);
    }
    out.println("wrote step " + replay.lastStep() + " of seed " + plan.seed() + " to " + target);
  }

  /** What the memory of a replay holds. */
  private record Weights(Replay replay) implements ExportedTensors {
    @Override
    public List<Stored> tensors() {
      List<Stored> tensors = new ArrayList<>();
      for (Param param : replay.params()) {
        List<Long> dims = param.shape().dims().stream().map(Integer::longValue).toList();
        tensors.add(new Stored(param.name(), SafetensorsType.F32, dims, Optional.empty()));
      }
      return tensors;
    }

    @Override
    public void read(Stored tensor, long offset, ByteBuffer target) {
      while (target.hasRemaining()) {
        int count = Math.min(PIECE_BYTES, target.remaining());
        Span span = replay.memory().span(tensor.name());
        int from = Math.toIntExact(offset);
        target.put(span.buffer().duplicate().slice(from, count));
        offset += count;
      }
    }

    @Override
    public void close() {}
  }
}
