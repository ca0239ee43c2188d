package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.outer.FirstRound;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.OuterSentences;
import dev.kindling.optim.outer.OuterStep;
import dev.kindling.optim.outer.OwnShare;
import dev.kindling.optim.outer.RoundScalar;

/**
 * The boundaries between rounds of one replica. Which mean a boundary applies follows from its
 * number alone: one that has not arrived is waited for, one that arrived early stays where it is.
 *
 * <pre>
 * blocking   depart, average, arrive
 * late       wait for the average of the round before, exchange, begin the next
 * </pre>
 */
public final class Boundary {
  private final StepProgram program;
  private final Memory memory;
  private final Flight flight;
  private final OuterMethod method;
  private final OuterStep step;
  private final int replicas;
  private boolean loaded;

  /**
   * @param flight of the role {@link Role#PAYLOAD} over the replicas
   * @param replicas at least 1
   */
  public Boundary(StepProgram program, Flight flight, OuterMethod method, int replicas) {
    this.program = program;
    this.memory = program.memory();
    this.flight = flight;
    this.method = method;
    this.step = method.step();
    this.replicas = replicas;
  }

  /** Before the first round: the live weights are the anchor, nothing is on its way. */
  public void begin() {
    begin(false);
  }

  /**
   * Before the first round of an attempt.
   *
   * @param payloadLoaded whether the payload holds a mean that the next boundary is to apply
   */
  public void begin(boolean payloadLoaded) {
    submit(OuterSentence.BEGIN);
    loaded = payloadLoaded;
    if (loaded) {
      // Whoever wished to stop has stopped.
      memory.fetch(OuterSentences.TOLD_BY_ALL);
      memory.span(OuterSentences.TOLD_BY_ALL).putFloat(RoundScalar.STOP_VOTES.ordinal(), 0f);
      memory.publish(OuterSentences.TOLD_BY_ALL);
    }
  }

  /** Right behind the first inner step of a round. */
  public void firstStep() {
    if (step.measures()) {
      submit(OuterSentence.FIRST_STEP);
    }
  }

  /**
   * Ends a round.
   *
   * @param told by {@link RoundScalar}, of this replica in the round
   * @param innerLr learning rate of its last inner step
   * @param innerSteps of the round
   */
  public Arrival cross(float[] told, double innerLr, int innerSteps) {
    if (!step.late() || (!loaded && method.first() == FirstRound.SYNC)) {
      submit(OuterSentence.DEPART, told, innerLr, innerSteps);
      flight.begin();
      flight.await();
      loaded = step.late();
      return arrival(submit(OuterSentence.ARRIVE, told, innerLr, innerSteps));
    }
    flight.await();
    int slot = submit(OuterSentence.EXCHANGE, told, innerLr, method.tau());
    Arrival arrival = arrival(slot);
    flight.begin();
    loaded = true;
    return arrival;
  }

  /**
   * Behind the last boundary: what is still on its way reaches the weights, and all replicas hold
   * the same ones.
   *
   * @param innerSteps of the last round
   */
  public void finish(double innerLr, int innerSteps) {
    flight.await();
    if (!step.late()) {
      return;
    }
    float[] nothing = new float[RoundScalar.values().length];
    if (!step.replicasDiffer()) {
      submit(OuterSentence.ARRIVE, nothing, innerLr, innerSteps);
    } else {
      if (step.own() == OwnShare.ONE_REPLICA) {
        submit(OuterSentence.EXCHANGE, nothing, innerLr, innerSteps);
      }
      submit(OuterSentence.SHOW);
      flight.begin();
      flight.await();
      submit(OuterSentence.SETTLE);
    }
    memory.clear(Role.PAYLOAD);
    loaded = false;
  }

  /** Waits for what is on its way; it stays in the payload until the next boundary applies it. */
  public void settle() {
    flight.await();
  }

  /** Whether the payload holds, or will hold, a mean that the next boundary applies. */
  public boolean isLoaded() {
    return loaded;
  }

  public OuterMethod method() {
    return method;
  }

  public Flight flight() {
    return flight;
  }

  private int submit(OuterSentence sentence) {
    return program.submit(program(sentence));
  }

  private int submit(OuterSentence sentence, float[] told, double innerLr, int innerSteps) {
    int slot = program.freeSlot();
    Span block = memory.span(OuterSentences.BLOCK, slot);
    step.fill(block, memory.span(OuterSentences.GAIN, slot), replicas, innerLr, innerSteps);
    memory.span(OuterSentences.TELLING, slot).put(told);
    return program.submit(program(sentence));
  }

  private Program program(OuterSentence sentence) {
    Program found = program.boundary().get(sentence);
    if (found == null) {
      throw new IllegalStateException(sentence + ": no sentence of " + step);
    }
    return found;
  }

  private Arrival arrival(int slot) {
    memory.await(slot);
    Span told = memory.span(OuterSentences.TOLD, slot);
    return new Arrival(
        told.getFloat(RoundScalar.LOSS_SUM.ordinal()),
        told.getFloat(RoundScalar.TOKENS.ordinal()),
        told.getFloat(RoundScalar.STOP_VOTES.ordinal()),
        memory.span(OuterSentences.MOVED, slot).getFloat(0),
        memory.span(OuterSentences.MEAN_NORM, slot).getFloat(0),
        memory.span(OuterSentences.USED_GAIN, slot).getFloat(0));
  }
}
