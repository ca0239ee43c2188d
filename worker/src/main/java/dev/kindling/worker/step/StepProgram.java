package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The compiled programs of one rank over one memory. The host writes the inputs and the step block,
 * runs a program, and reads the outputs, which the next run overwrites.
 */
public final class StepProgram implements AutoCloseable {
  private final StepGraphs graphs;
  private final Memory memory;
  private final Program accumulate;
  private final Program finish;
  private final Program evaluate;
  private final List<Program> stash = new ArrayList<>();
  private final StepInputs inputs;
  private final long bytesPeak;

  private StepProgram(StepGraphs graphs, Backend backend, Communicator data) {
    this.graphs = graphs;
    List<Graph> all = graphs.programs();
    memory = backend.allocate(variables(all), all);
    Map<Axis, Communicator> axes = Map.of(Axis.DATA, data);
    accumulate = backend.compile(all.get(0), memory, axes);
    finish = backend.compile(all.get(1), memory, axes);
    for (int level = 0; level < graphs.shape().levels(); level++) {
      stash.add(backend.compile(all.get(2 + level), memory, axes));
    }
    evaluate = backend.compile(all.get(all.size() - 1), memory, axes);
    bytesPeak = backend.bytesReserved().orElseGet(() -> plannedBytes(memory, finish));
    inputs = StepInputs.of(memory, graphs.shape().maskDocuments());
  }

  /**
   * Compiles all programs; nothing is allocated after this.
   *
   * @param data communicator of the data axis
   * @throws dev.kindling.kernels.graph.PlanException if the model does not fit the shape
   */
  public static StepProgram compile(StepGraphs graphs, Backend backend, Communicator data) {
    return new StepProgram(graphs, backend, data);
  }

  /** Every variable of every program, once, in order of first declaration. */
  public static List<Variable> variables(List<Graph> graphs) {
    Map<String, Variable> byName = new LinkedHashMap<>();
    for (Graph graph : graphs) {
      for (Variable variable : graph.variables()) {
        Variable known = byName.putIfAbsent(variable.name(), variable);
        if (known != null && !known.equals(variable)) {
          throw new IllegalStateException("two variables named " + variable.name());
        }
      }
    }
    return List.copyOf(byName.values());
  }

  /** Where the host writes a micro-batch. */
  public StepInputs inputs() {
    return inputs;
  }

  public StepShape shape() {
    return graphs.shape();
  }

  /** The memory of all variables: parameters, optimizer state, outputs. */
  public Memory memory() {
    return memory;
  }

  public List<dev.kindling.kernels.graph.Param> params() {
    return finish.graph().params();
  }

  /** Variables of optimizer state, in declaration order. */
  public List<Variable> state() {
    return finish.graph().variables().stream().filter(v -> v.role() == Role.STATE).toList();
  }

  /** Equal on ranks whose collectives match call for call. */
  public String fingerprint() {
    return finish.graph().fingerprintOfCollectives();
  }

  /** Forward and backward of one micro-batch. */
  public void accumulate() {
    accumulate.run();
  }

  /** Ends a logical shard that is not the rank's last one; see {@link StepGraphs#stash}. */
  public void stash(int level) {
    stash.get(level).run();
  }

  /**
   * The last micro-batch of the step, the reduction over all ranks and the update.
   *
   * @param update number of this update, from 1
   * @param lrFactor the schedule's factor
   * @param stopVote whether this rank wishes to stop after this step
   */
  public StepOutcome finish(long update, double lrFactor, boolean stopVote) {
    graphs.rule().fillStep(memory.arena(Role.STEP), update, lrFactor);
    if (stopVote) {
      memory.span(StepGraphs.STOP_VOTES).putFloat(0, 1f);
      memory.publish(StepGraphs.STOP_VOTES);
    }
    finish.run();
    return new StepOutcome(
        scalar(StepGraphs.LOSS_SUM),
        scalar(StepGraphs.TOKEN_COUNT),
        scalar(StepGraphs.GRAD_NORM),
        scalar(StepGraphs.SCALE),
        scalar(StepGraphs.STOPS));
  }

  /** Loss sum and token count of one micro-batch of this rank; changes nothing. */
  public StepOutcome evaluate() {
    evaluate.run();
    return new StepOutcome(scalar(StepGraphs.LOSS_SUM), scalar(StepGraphs.TOKEN_COUNT), 0f, 0f, 0f);
  }

  /**
   * Runs every program once on zeros, so that a shape that does not fit or a rank that does not
   * answer shows now, and clears everything again. To be called before the weights are filled.
   */
  public void dryRun() {
    inputs.fillForDryRun();
    accumulate.run();
    for (Program program : stash) {
      program.run();
    }
    finish(1, 0.0, false);
    evaluate.run();
    for (Role role : List.of(Role.PARAMETER, Role.GRADIENT, Role.STATE, Role.PARTIAL)) {
      memory.clear(role);
    }
  }

  /**
   * Bytes of one rank: what its device reserved, or where nobody counts, all arenas and the largest
   * activation arena.
   */
  public long bytesPeak() {
    return bytesPeak;
  }

  private static long plannedBytes(Memory memory, Program finish) {
    long variables = 0;
    for (Role role : Role.values()) {
      variables += memory.bytes(role);
    }
    return variables + finish.activationBytes();
  }

  private float scalar(String name) {
    return memory.span(name).getFloat(0);
  }

  @Override
  public void close() {
    evaluate.close();
    stash.forEach(Program::close);
    finish.close();
    accumulate.close();
    memory.close();
  }
}
