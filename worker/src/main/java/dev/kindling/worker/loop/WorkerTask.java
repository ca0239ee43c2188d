package dev.kindling.worker.loop;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.comm.rendezvous.FingerprintCheck;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.OuterStep;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.data.Batch;
import dev.kindling.worker.data.BatchReader;
import dev.kindling.worker.data.BatchSlice;
import dev.kindling.worker.data.CacheFolder;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.evaluate.EncodedQuestion;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.Phase;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.plan.BatchArithmetic;
import dev.kindling.worker.plan.Determinism;
import dev.kindling.worker.plan.MatrixProduct;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.shard.Sharding;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageLocation;
import dev.kindling.worker.store.WatchedStorage;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What one rank does in one attempt, from the rendezvous to the last checkpoint. */
public final class WorkerTask {
  /** Folder of the checkpoints inside the run folder. */
  public static final String CHECKPOINTS = "checkpoints";

  private final WorkerAssignment assignment;
  private final TrainPlan plan;
  private final StorageLocation runDir;
  private final RankContext context;
  private final int rank;
  private List<EncodedQuestion> questions = List.of();

  private WorkerTask(WorkerAssignment assignment, RankContext context) {
    this.assignment = assignment;
    this.plan = PlanReader.fromYaml(assignment.configYaml());
    this.runDir = StorageLocation.of(assignment.runDir());
    this.context = context;
    this.rank = context.rendezvous().rank();
  }

  /**
   * Trains; blocks until the run is complete, a stop was agreed, or something failed. Any failure
   * closes without collectives, because the other ranks may be anywhere.
   *
   * @throws RuntimeException of the rooms (data, checkpoint, device, collective, plan)
   */
  public static WorkerResult run(WorkerAssignment assignment, RankContext context) {
    try (Pulse pulse = context.pulse().start()) {
      pulse.enter(Phase.RENDEZVOUS, 0);
      return new WorkerTask(assignment, context).run();
    }
  }

  /** The plan that a rank is told has words in the place of secrets; Spark itself brings those. */
  private Storage storage(StorageLocation location) {
    return location.open(plan.spark().withSecrets(Map.of()).conf());
  }

  private WorkerResult run() {
    TokenShards shards = TokenShards.open(Path.of(assignment.dataDir()));
    questions = ChoiceAccuracy.questions(plan, shards);
    // The communicator may connect devices: it is opened after the backend and closed before it.
    try (Backend backend = backend();
        Communicator data =
            context.connector().connect(plan, assignment, context.rendezvous(), backend)) {
      enter(Phase.COMPILE);
      MemoryAgreement memory =
          new MemoryAgreement(plan.memory(), backend, data, context.events(), storage(runDir));
      TrainStep graphs = memory.agree(graphs(plan, shards));
      StoredChoices choices =
          new StoredChoices(storage(runDir), new LocalStorage(CacheFolder.of("devices")));
      Communicator group = plan.sync() instanceof OuterMethod ? alone() : data;
      try (StepProgram program =
              choices.compile(backend, data, () -> StepProgram.compile(graphs, backend, group));
          Rounds rounds =
              Rounds.open(
                  plan,
                  program,
                  backend,
                  () -> context.connector().replicas(plan, assignment, data))) {
        memory.report(program);
        FingerprintCheck.check(data, program.fingerprint());
        return train(program, rounds, shards, data);
      }
    }
  }

  /** A rank that trains apart shares its gradients with nobody. */
  private static Communicator alone() {
    return LoopbackCommunicator.create(1).get(0);
  }

  private WorkerResult train(
      StepProgram program, Rounds rounds, TokenShards shards, Communicator data) {
    enter(Phase.DRY_RUN);
    program.dryRun();
    enter(Phase.RESTORE);
    RunIdentity identity = RunIdentity.of(plan, assignment, shards);
    CheckpointStore store =
        CheckpointStore.openOfRank(
            new WatchedStorage(storage(runDir.resolve(CHECKPOINTS)), plan.checkpoint().timeout()),
            plan.checkpoint().keep(),
            rank,
            context.ranksOnThisHost());
    try (Checkpointing checkpoints =
        new Checkpointing(store, program, data, context.events(), identity)) {
      if (plan.checkpoint().async() && plan.checkpoint().everySteps() > 0) {
        checkpoints.saveBeside(() -> context.connector().beside(plan, assignment, data));
      }
      return train(program, rounds, shards, data, identity, checkpoints);
    }
  }

  private WorkerResult train(
      StepProgram program,
      Rounds rounds,
      TokenShards shards,
      Communicator data,
      RunIdentity identity,
      Checkpointing checkpoints) {
    StartPoint start = new StartPoint(identity, program, checkpoints, data, context.events());
    Progress progress = start.begin();
    rounds.begin(progress);
    if (rounds.areApart()) {
      // Replicas that begin apart stay so: nothing compares them every step.
      new ReplicaCheck(program, plan.sync(), data).check(progress.step());
    }
    Optional<Validation> validation = Validation.open(plan, shards, questions, program, data);
    Optional<ObjectiveSteps> objective = ObjectiveSteps.open(plan, shards, program, data);
    try {
      new Rejoin(assignment, plan, program, context, data).goOn(progress, validation);
      Optional<WorkerResult> result = Optional.empty();
      for (int segment = 0; result.isEmpty(); segment++) {
        try (StepWatch watch =
                new StepWatch(
                    plan, assignment, segment, progress, program, data, context.events());
            BatchReader batches =
                BatchReader.training(
                    shards, slice(plan, data), plan.seed(), progress.step(), progress.leftOut())) {
          TrainLoop loop =
              new TrainLoop(
                  plan, program, batches, objective, data, context, checkpoints, rounds, watch);
          result = loop.run(progress, validation);
          if (result.isEmpty()) {
            enter(Phase.RESTORE);
            progress = start.rollBack(progress, watch);
          }
        }
      }
      return result.get();
    } finally {
      objective.ifPresent(ObjectiveSteps::close);
      validation.ifPresent(Validation::close);
    }
  }

  /** The sentences of a plan over a prepared set; also what {@code explain} prints. */
  public static TrainStep graphs(TrainPlan plan, TokenShards shards) {
    return graphs(plan, shards.manifest().vocabularySize(), shards.manifest().maskDocuments());
  }

  /** As above without a prepared set. */
  public static TrainStep graphs(TrainPlan plan, int vocabulary, boolean maskDocuments) {
    BatchArithmetic arithmetic = plan.arithmetic();
    StepShape shape =
        new StepShape(
                plan.microBatch(),
                plan.sequenceLength(),
                maskDocuments,
                arithmetic.logicalShardsPerRank(),
                arithmetic.accumulation())
            .scoring(plan.asksQuestions());
    ModelFamily model = plan.model().withVocabulary(vocabulary);
    Projection projection = plan.adapter().projection(model, plan.seed());
    if (plan.optimizer() instanceof Mezo mezo) {
      return new MezoStep(model, projection, mezo, shape, plan.ranks(), plan.seed());
    }
    Optional<OuterStep> outer =
        plan.sync() instanceof OuterMethod method ? Optional.of(method.step()) : Optional.empty();
    return new StepGraphs(
        model,
        projection,
        (Optimizer) plan.optimizer(),
        shape,
        new Sharding(plan.mesh().zero(), outer.isPresent() ? 1 : plan.ranks()),
        plan.gradientLife(),
        outer);
  }

  static BatchSlice slice(TrainPlan plan, Communicator data) {
    BatchArithmetic arithmetic = plan.arithmetic();
    return new BatchSlice(
        data.rank(),
        data.worldSize(),
        Math.toIntExact(arithmetic.samplesPerStep()),
        arithmetic.sequencesPerMicroBatch());
  }

  private Backend backend() {
    boolean measured = plan.determinism() != Determinism.EXACT;
    return plan.device().open(options(), context.gpuOrdinal(), measured, this::say);
  }

  private CpuOptions options() {
    int cores = Runtime.getRuntime().availableProcessors();
    int threads = BatchArithmetic.threadsPerRank(plan, cores, context.ranksOnThisHost());
    MatmulKind kind = plan.matmul() == MatrixProduct.JAVA ? MatmulKind.JAVA : MatmulKind.OPENBLAS;
    return new CpuOptions(threads, kind);
  }

  static void write(Batch batch, StepInputs inputs) {
    batch.copyTo(inputs.tokens(), inputs.targets(), inputs.positions(), inputs.segments());
  }

  /** For people, so the first rank alone says it. */
  private void say(String line) {
    if (rank == 0) {
      context.events().emit(new LogLine(rank, LogLine.Level.WARN, line));
    }
  }

  private void enter(Phase phase) {
    context.pulse().enter(phase, 0);
  }
}
