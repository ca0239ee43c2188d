package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;

/**
 * Zeroth-order updates whose slopes the host gives: of steps that were made before, or of an
 * objective that the host finds.
 *
 * @param program the compiled {@link TrainStep#replay}
 * @param points the compiled {@link TrainStep#points}
 */
public record SlopeReplay(Program program, PointPass points) implements AutoCloseable {

  /** Without points. */
  public SlopeReplay(Program program, Memory memory) {
    this(program, new PointPass(List.of(), memory));
  }

  /**
   * Begins a step: its number picks the random numbers.
   *
   * @param rate learning rate as the step's update uses it
   */
  public void begin(long step, float rate) {
    points.memory().await(0);
    Span block = points.memory().span(GraphBuilder.stepName(0), 0);
    block.putFloat(StepScalar.LEARNING_RATE.ordinal(), rate);
    block.putFloat(StepScalar.STEP.ordinal(), step);
  }

  /**
   * Applies the update of the step that was begun.
   *
   * @param skipped whether every parameter keeps its bits
   * @param slopes along the directions of the step
   */
  public void apply(boolean skipped, float[] slopes) {
    Memory memory = points.memory();
    memory.await(0);
    Span given = memory.span(MezoStep.GIVEN, 0);
    for (int i = 0; i < slopes.length; i++) {
      given.putFloat(i, slopes[i]);
    }
    memory.span(MezoStep.GIVEN_SCALE, 0).putFloat(0, skipped ? 0f : 1f);
    program.submit(0);
  }

  void dryRun() {
    begin(1, 0f);
    points.programs().forEach(pass -> pass.submit(0));
    program.submit(0);
  }

  @Override
  public void close() {
    List<AutoCloseable> parts = new ArrayList<>(points.programs());
    parts.add(program);
    Closing.all(parts);
  }
}
