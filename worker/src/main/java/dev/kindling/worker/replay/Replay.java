package dev.kindling.worker.replay;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.SlopeReplay;
import dev.kindling.worker.step.TrainStep;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Makes the weights of a zeroth-order run again: the updates of its steps, without data and without
 * forward passes. Bit for bit those of the run, because the operation is the same and reads the
 * same numbers. Matrices that a base keeps packed take no part and are not here.
 */
public final class Replay implements AutoCloseable {
  private final MezoStep step;
  private final Memory memory;
  private final SlopeReplay program;
  private long last;

  /**
   * @param step with the seed of the run
   */
  public Replay(MezoStep step, Backend backend) {
    this.step = step;
    Graph graph = step.replay().orElseThrow();
    memory = backend.allocate(TrainStep.variables(List.of(graph)), List.of(graph));
    try {
      program = new SlopeReplay(backend.compile(graph, memory, Map.of()), memory);
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, memory);
      throw failure;
    }
  }

  /**
   * Begins at the first weights of the run, those of a fresh adapter included, with the thresholds
   * that follow from them.
   */
  public void fill(FirstValues values) {
    FirstValues own = step.first(step.projection().values(values));
    for (Param param : params()) {
      own.fill(param, 0, memory.span(param.name()));
      memory.publish(param.name());
      memory.release(param.name());
    }
    step.begin(memory, params());
    last = 0;
  }

  /**
   * Whether the weights as they are now are those with which the run of a log began.
   *
   * @throws PlanException if they are not
   */
  public void expectBase(SlopeHeader header) {
    String found = FirstWeights.of(memory, weights(), List.of());
    if (header.base().isPresent() && !header.base().get().equals(found)) {
      throw new PlanException(
          "BASE: expected the weights with which the run began, hash "
              + header.base().get()
              + ", found others, hash "
              + found);
    }
  }

  /** Begins at what somebody put into the memory: weights and state after a step. */
  public void beginAfter(long stepDone) {
    last = stepDone;
  }

  /**
   * Applies the steps after the last one that was applied. A last one of which a killed writer left
   * some directions alone does not count.
   *
   * @return how many
   * @throws PlanException if the next step is not in the log
   */
  public long apply(SlopeLog log) {
    int directions = step.rule().directions();
    List<SlopeRecord> next = log.records().stream().filter(record -> record.step() > last).toList();
    if (!next.isEmpty() && next.get(0).step() != last + 1) {
      throw new PlanException(
          "the log begins with step " + next.get(0).step() + ", expected step " + (last + 1));
    }
    int steps = next.size() / directions;
    for (int i = 0; i < steps; i++) {
      List<SlopeRecord> records = next.subList(i * directions, (i + 1) * directions);
      if (records.get(0).direction() != 0 || records.get(directions - 1).step() != last + 1) {
        throw new PlanException(
            "step "
                + (last + 1)
                + " of the log: expected "
                + directions
                + " directions, found others");
      }
      apply(records);
    }
    return steps;
  }

  private void apply(List<SlopeRecord> directions) {
    SlopeRecord first = directions.get(0);
    float[] slopes = new float[directions.size()];
    for (int i = 0; i < slopes.length; i++) {
      slopes[i] = directions.get(i).slope();
    }
    program.begin(first.step(), first.rate());
    program.apply(first.skipped(), slopes);
    memory.await(0);
    last = first.step();
  }

  public List<Param> params() {
    return program.program().graph().params();
  }

  /** Weights as a checkpoint names them. */
  public List<Held> weights() {
    List<Held> held = new ArrayList<>();
    for (Param param : params()) {
      held.add(new Held(param.name(), param.shape(), 0, param.shape().elements()));
    }
    return held;
  }

  /** State as a checkpoint names it. */
  public List<Held> state() {
    List<Held> held = new ArrayList<>();
    for (Param param : params()) {
      for (StateVariable state : step.state(param)) {
        Shape shape = state.variable().type().shape();
        held.add(new Held(state.name(), shape, 0, shape.elements()));
      }
    }
    return held;
  }

  /** Step after which the weights are. */
  public long lastStep() {
    return last;
  }

  public Memory memory() {
    return memory;
  }

  @Override
  public void close() {
    Closing.all(List.of(program, memory));
  }
}
