package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.Held;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * The compiled programs of one rank over one memory. The host writes the inputs and the step block,
 * submits a program, and reads the outputs when it has ended. On a device of its own one submission
 * computes while the host prepares the next: each uses the next slot of the memory in turn.
 */
public final class StepProgram implements AutoCloseable {
  private static final Set<Role> DRY_RUN_CLEARS =
      EnumSet.complementOf(EnumSet.of(Role.INPUT, Role.OUTPUT, Role.STEP));

  private final TrainStep graphs;
  private final Map<String, Variable> variables = new HashMap<>();
  private final Memory memory;
  private final Program finish;
  private final Program evaluate;
  private final Program spread;
  private final Optional<SequenceScore> score;
  private final Optional<SlopeReplay> replay;
  private final Map<OuterSentence, Program> boundary = new EnumMap<>(OuterSentence.class);
  private final int rank;
  private final List<Program> micro;
  private final List<Program> stash;
  private final StepBlocks stepBlocks;
  private final List<StepInputs> inputs = new ArrayList<>();
  private final OutcomePlaces outcomes;
  private final long bytesPeak;
  private int slot;

  /** Micro-steps of this step so far. */
  private int microSteps;

  /** Slots of the steps in flight, oldest first. */
  private final Deque<Integer> pending = new ArrayDeque<>();

  /** Rows of {@link #outcomes} that were read early, oldest first. */
  private float[] kept;

  private int keptRows;
  private final StepOutcome outcome;

  private StepProgram(TrainStep graphs, Backend backend, Communicator data) {
    this.graphs = graphs;
    List<Graph> all = graphs.programs();
    int levels = graphs.shape().levels();
    int micros = graphs.microSteps().size();
    rank = data.rank();
    List<Variable> declared = TrainStep.variables(all);
    declared.forEach(variable -> variables.put(variable.name(), variable));
    memory = backend.allocate(declared, all);
    List<Program> compiled = CompiledPrograms.of(all, backend, memory, Map.of(Axis.DATA, data));
    micro = compiled.subList(0, micros);
    finish = compiled.get(micros);
    stash = compiled.subList(micros + 1, micros + 1 + levels);
    evaluate = compiled.get(micros + 1 + levels);
    spread = compiled.get(micros + 2 + levels);
    score =
        graphs.shape().scores()
            ? Optional.of(new SequenceScore(compiled.get(micros + 3 + levels), memory))
            : Optional.empty();
    int behind = all.size() - graphs.sentences().size();
    graphs.sentences().forEach(each -> boundary.put(each, compiled.get(behind + boundary.size())));
    List<Program> last = compiled.subList(behind - 1 - graphs.points().size(), behind);
    PointPass points = new PointPass(last.subList(0, last.size() - 1), memory);
    replay = graphs.replay().map(one -> new SlopeReplay(last.get(last.size() - 1), points));
    long planned = CompiledPrograms.variableBytes(memory) + finish.activationBytes();
    bytesPeak = backend.bytesReserved().orElse(planned);
    stepBlocks = StepBlocks.of(graphs.descent(), memory);
    outcomes = OutcomePlaces.of(memory, graphs.outcome());
    outcome = new StepOutcome(outcomes.size());
    kept = new float[(memory.slots() + 1) * outcomes.size()];
    for (int each = 0; each < memory.slots(); each++) {
      boolean placed = variables.containsKey(Dropout.PLACE);
      inputs.add(StepInputs.of(memory, each, "", graphs.shape().maskDocuments(), placed));
    }
  }

  /**
   * Compiles all programs; nothing is allocated after this.
   *
   * @param data communicator of the data axis
   * @throws dev.kindling.kernels.graph.PlanException if the model does not fit the shape
   */
  public static StepProgram compile(TrainStep graphs, Backend backend, Communicator data) {
    Failpoint.STEP_COMPILE.before();
    StepProgram program = new StepProgram(graphs, backend, data);
    Failpoint.STEP_COMPILE.after();
    return program;
  }

  /** Where the host writes the next micro-batch; waits until the device has left that place. */
  public StepInputs inputs() {
    return inputs.get(freeSlot());
  }

  /** Steps that may be submitted before the outcome of the first is read. */
  public int stepsInFlight() {
    return memory.slots();
  }

  public StepShape shape() {
    return graphs.shape();
  }

  /** Rows of the embedding table. */
  public int vocabulary() {
    return graphs.model().vocabulary().orElseThrow();
  }

  /** The memory of all variables: parameters, optimizer state, outputs. */
  public Memory memory() {
    return memory;
  }

  public List<Param> params() {
    return finish.graph().params();
  }

  /** How the parameters of the model take part. */
  public Projection projection() {
    return graphs.projection();
  }

  /** What this rank holds of each parameter, in declaration order. */
  public List<Held> weights() {
    return held().of(params());
  }

  /** What it holds of those that an update changes: the others follow from first values. */
  public List<Held> trainedWeights() {
    return held().of(HeldTensors.trained(params()));
  }

  /** What this rank holds of each tensor of optimizer state, parameter by parameter. */
  public List<Held> state() {
    return held().state(params());
  }

  private HeldTensors held() {
    return new HeldTensors(graphs, variables, rank);
  }

  /** Equal on ranks whose collectives match call for call; one line for each program. */
  public String fingerprint() {
    Map<String, List<Program>> named = new LinkedHashMap<>();
    named.put("accumulate", micro);
    named.put("finish", List.of(finish));
    named.put("stash", stash);
    named.put("evaluate", List.of(evaluate));
    named.put("spread", List.of(spread));
    named.put("score", score.stream().map(SequenceScore::program).toList());
    return CompiledPrograms.fingerprint(named);
  }

  /** Random first values of all weights, as {@link #fill(FirstValues)}. */
  public void fill(long seed) {
    fill((param, from, target) -> Initialization.fill(param, seed, from, target));
  }

  /** First values of all weights, the same for any number of ranks. All ranks together. */
  public void fill(FirstValues base) {
    fill(base, UnaryOperator.identity());
  }

  /** As above; {@code over} lays other values over those of an adapter that begins. */
  public void fill(FirstValues base, UnaryOperator<FirstValues> over) {
    Failpoint.FRESH_WEIGHTS.before();
    FirstValues first = graphs.first(over.apply(projection().values(base)));
    List<Held> weights = weights();
    for (int i = 0; i < weights.size(); i++) {
      HeldTensors.fill(weights.get(i), params().get(i), first, memory);
    }
    projection().packed().forEach(weight -> HeldTensors.fill(weight, base, memory));
    spread();
    graphs.begin(memory, params());
    Failpoint.FRESH_WEIGHTS.after();
  }

  /** After the host wrote weights: what products read follows. All ranks together. */
  public void spread() {
    Failpoint.WEIGHTS_SPREAD.before();
    if (!spread.graph().nodes().isEmpty()) {
      memory.await(submit(spread));
    }
    Failpoint.WEIGHTS_SPREAD.after();
  }

  /** Forward and backward of one micro-batch. A zeroth-order step wants its number too. */
  public void accumulate() {
    requireMicroSteps(microSteps + 1 < graphs.shape().microSteps());
    submit(micro.get(Math.min(microSteps++, micro.size() - 1)));
  }

  /**
   * One micro-batch that is not the last of its step.
   *
   * @param update number of the step, as {@link #submit} will hear it
   * @param lrFactor the schedule's factor, likewise
   */
  public void accumulate(long update, double lrFactor) {
    if (!graphs.keepsActivations()) {
      memory.await(slot);
      stepBlocks.fill(slot, update, lrFactor);
    }
    accumulate();
  }

  /** A step of another length would add to the gradients of the step before, or lose some. */
  private void requireMicroSteps(boolean planned) {
    if (graphs.shape().overwrites() && !planned) {
      throw new IllegalStateException(
          "micro-steps of a step: expected "
              + graphs.shape().microSteps()
              + ", found another number");
    }
  }

  /** Programs between rounds. */
  Map<OuterSentence, Program> boundary() {
    return boundary;
  }

  /** The slot of the next run, which the device has left. */
  int freeSlot() {
    memory.await(slot);
    return slot;
  }

  /** Begins a run in the current slot and goes on to the next. */
  int submit(Program program) {
    int used = slot;
    keepOutcome(used);
    program.submit(used);
    slot = (used + 1) % memory.slots();
    return used;
  }

  /** Updates with slopes of the host, of a zeroth-order run; not while a step is in flight. */
  public SlopeReplay slopes() {
    return replay.orElseThrow();
  }

  /** Reads the outcome of a step before another run may write over it. */
  private void keepOutcome(int overwritten) {
    Integer oldest = pending.peekFirst();
    if (oldest != null && oldest == overwritten) {
      pending.removeFirst();
      read(overwritten);
    }
  }

  /** Ends a logical shard that is not the rank's last one; see {@link StepGraphs#stash}. */
  public void stash(int level) {
    submit(stash.get(level));
  }

  /** {@link #submit} and {@link #outcome} in one. */
  public StepOutcome finish(long update, double lrFactor, boolean stopVote) {
    submit(update, lrFactor, stopVote);
    return outcome();
  }

  /**
   * Begins the last micro-batch of the step, the reduction over all ranks and the update.
   *
   * @param update number of this update, from 1
   * @param lrFactor the schedule's factor
   * @param stopVote whether this rank wishes to stop after this step
   */
  public void submit(long update, double lrFactor, boolean stopVote) {
    requireMicroSteps(microSteps + 1 == graphs.shape().microSteps());
    Failpoint.STEP_SUBMIT.before();
    microSteps = 0;
    memory.await(slot);
    stepBlocks.fill(slot, update, lrFactor);
    if (stopVote) {
      memory.span(StepGraphs.STOP_VOTES).putFloat(0, 1f);
      memory.publish(StepGraphs.STOP_VOTES);
    }
    pending.addLast(submit(finish));
    Failpoint.STEP_SUBMIT.after();
  }

  /**
   * Of the oldest step whose outcome was not asked for yet; blocks until it has ended. The next
   * call changes what this one returned.
   */
  public StepOutcome outcome() {
    Failpoint.STEP_OUTCOME.before();
    if (keptRows == 0) {
      read(pending.removeFirst());
    }
    outcome.take(kept, 0);
    keptRows--;
    System.arraycopy(kept, outcomes.size(), kept, 0, keptRows * outcomes.size());
    Failpoint.STEP_OUTCOME.after();
    return outcome;
  }

  private void read(int used) {
    memory.await(used);
    int row = keptRows++ * outcomes.size();
    if (row == kept.length) {
      kept = Arrays.copyOf(kept, 2 * row);
    }
    outcomes.read(used, kept, row);
  }

  /** Loss sum and token count of one micro-batch of this rank; changes nothing. */
  public StepOutcome evaluate() {
    int used = submit(evaluate);
    memory.await(used);
    return new StepOutcome(outcomes.first(used, 0), outcomes.first(used, 1), 0f, 0f, 0f);
  }

  /** Where the host writes the next sequence that {@link #score} is to read. */
  public StepInputs sequence() {
    memory.await(slot);
    return score.orElseThrow().inputs(slot);
  }

  /** Sum of the losses of one sequence, nats; changes nothing. All ranks together. */
  public float score() {
    int used = submit(score.orElseThrow().program());
    memory.await(used);
    return score.orElseThrow().loss(used);
  }

  /**
   * Runs every program once on zeros, so that a shape that does not fit or a rank that does not
   * answer shows now, and clears everything again. To be called before the weights are filled.
   */
  public void dryRun() {
    inputs.forEach(StepInputs::fillForDryRun);
    micro.forEach(this::submit);
    stash.forEach(this::submit);
    microSteps = Math.max(0, graphs.shape().microSteps() - 1);
    finish(1, 0.0, false);
    evaluate();
    spread();
    if (score.isPresent()) {
      sequence().fillForDryRun();
      score();
    }
    replay.ifPresent(SlopeReplay::dryRun);
    boundary.values().forEach(this::submit);
    DRY_RUN_CLEARS.forEach(memory::clear);
  }

  /**
   * Bytes of one rank: what its device reserved, or where nobody counts, all arenas and the largest
   * activation arena.
   */
  public long bytesPeak() {
    return bytesPeak;
  }

  @Override
  public void close() {
    List<AutoCloseable> parts = new ArrayList<>(boundary.values());
    replay.ifPresent(parts::add);
    score.ifPresent(one -> parts.add(one.program()));
    parts.addAll(List.of(spread, evaluate));
    parts.addAll(stash);
    parts.add(finish);
    parts.addAll(micro);
    parts.add(memory);
    Closing.all(parts);
  }
}
