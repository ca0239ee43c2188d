package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.optim.outer.Co2;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.RoundScalar;
import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.Arrival;
import dev.kindling.worker.step.Boundary;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The rounds of a run on one rank. Where ranks agree in every step each step is a round, which ends
 * by itself; else replicas train apart for tau steps and meet at a boundary. Whatever wants the
 * same weights on all ranks (a validation, a checkpoint, a stop) waits for the end of a round.
 */
final class Rounds implements AutoCloseable {
  /** Guard value of a checkpoint: the step behind which its payload is applied. */
  static final String APPLIES = "outer.applies_behind";

  private static final double NANOS_PER_MILLI = 1e6;

  private final TrainPlan plan;
  private final int tau;
  private final @Nullable Boundary boundary;
  private final List<AutoCloseable> parts;

  /** Of this replica in the round so far, by {@link RoundScalar}. */
  private final float[] told = new float[RoundScalar.values().length];

  private @Nullable RoundDone done;
  private boolean stops;

  private Rounds(TrainPlan plan, @Nullable Boundary boundary, List<AutoCloseable> parts) {
    this.plan = plan;
    this.boundary = boundary;
    this.tau = boundary == null ? 1 : boundary.method().tau();
    this.parts = parts;
  }

  /**
   * All ranks together.
   *
   * @param connect opens a communicator of the replicas that nobody else uses; asked only where
   *     they train apart
   */
  static Rounds open(
      TrainPlan plan, StepProgram program, Backend backend, Supplier<Communicator> connect) {
    if (!(plan.sync() instanceof OuterMethod method)) {
      return new Rounds(plan, null, List.of());
    }
    Communicator replicas = connect.get();
    try {
      Flight flight = backend.flight(program.memory(), Role.PAYLOAD, replicas);
      Boundary boundary = new Boundary(program, flight, method, replicas.worldSize());
      return new Rounds(plan, boundary, List.of(replicas, flight));
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, replicas);
      throw failure;
    }
  }

  /** Whether replicas train apart. */
  boolean areApart() {
    return boundary != null;
  }

  /** With what the run begins, or a checkpoint holds, in memory. */
  void begin(Progress progress) {
    if (boundary != null) {
      boundary.begin(progress.guards().containsKey(APPLIES));
    }
  }

  /** Whether a round ends behind this step; the last one may be shorter. */
  boolean endsBehind(long step) {
    return step % tau == 0 || step == plan.steps();
  }

  /**
   * Whether something that is due every so many steps, never for 0, is so by the end of a round.
   */
  boolean due(long step, long everySteps) {
    long before = (step - 1) / tau * tau;
    return everySteps > 0 && endsBehind(step) && step / everySteps > before / everySteps;
  }

  /** A step was submitted. */
  void submitted(long step) {
    if (boundary != null && (step - 1) % tau == 0) {
      boundary.firstStep();
    }
  }

  /** A step is done; at the end of a round none is in flight, and the replicas meet. */
  void finished(long step, StepOutcome outcome) {
    Boundary meeting = boundary;
    if (meeting == null) {
      stops = outcome.stopVotes() > 0f;
      return;
    }
    if (!outcome.skipped()) {
      told[RoundScalar.LOSS_SUM.ordinal()] += outcome.lossSum();
      told[RoundScalar.TOKENS.ordinal()] += outcome.tokenCount();
    }
    if (outcome.stopVotes() > 0f) {
      told[RoundScalar.STOP_VOTES.ordinal()] = 1f;
    }
    if (endsBehind(step)) {
      meet(meeting, step);
    }
  }

  private void meet(Boundary meeting, long step) {
    long before = meeting.flight().exposedNanos();
    int steps = (int) ((step - 1) % tau + 1);
    double lr = plan.optimizer().lr() * plan.schedule().factor(step, plan.steps());
    Arrival arrival = meeting.cross(told, lr, steps);
    if (step == plan.steps()) {
      meeting.finish(lr, steps);
    }
    Arrays.fill(told, 0f);
    stops |= arrival.stopVotes() > 0f;
    boolean there = arrival.isThere();
    boolean gap = there && meeting.method() instanceof Co2;
    done =
        new RoundDone(
            0,
            step,
            (step + tau - 1) / tau,
            (meeting.flight().exposedNanos() - before) / NANOS_PER_MILLI,
            arrival.loss(),
            there ? arrival.drift() : Double.NaN,
            gap ? 1.0 / arrival.gain() : Double.NaN);
  }

  /** The round that ended behind this step, where replicas train apart. */
  Optional<RoundDone> endedBehind(long step) {
    RoundDone last = done;
    return last != null && last.step() == step ? Optional.of(last) : Optional.empty();
  }

  /** Whether all ranks are to stop now; equal on all of them. */
  boolean stop() {
    return stops;
  }

  /**
   * Waits for what is on its way, which a checkpoint is to hold, and says when it is applied.
   *
   * @param guards of the checkpoint behind this step
   */
  void settle(long step, Map<String, String> guards) {
    if (boundary != null) {
      boundary.settle();
      if (boundary.isLoaded()) {
        guards.put(APPLIES, Long.toString(Math.min(step + tau, plan.steps())));
      }
    }
  }

  /** Payload bytes that this rank sent to other replicas. */
  long bytesSent() {
    return boundary == null ? 0 : boundary.flight().bytesSent();
  }

  /** Time that boundaries stood still for others. */
  long exposedNanos() {
    return boundary == null ? 0 : boundary.flight().exposedNanos();
  }

  @Override
  public void close() {
    Closing.all(parts);
  }
}
