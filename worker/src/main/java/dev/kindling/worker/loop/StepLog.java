package dev.kindling.worker.loop;

import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/**
 * The last steps that rank 0 reported. They are saved with every checkpoint, because reports travel
 * apart from checkpoints: a driver that is killed right after a commit has not written its last
 * lines, and nobody would ever compute those steps again.
 */
final class StepLog {
  /** More than any channel holds back: events leave a worker every 200 ms. */
  private static final int STEPS = 256;

  private final Deque<StepRecalled> steps = new ArrayDeque<>();

  void add(StepDone step) {
    steps.addLast(new StepRecalled(0, step, Float.NaN));
    if (steps.size() > STEPS) {
      steps.removeFirst();
    }
  }

  /** What was measured after a step, NaN if not; ignored if that step was not reported. */
  void validated(long step, float loss, float accuracy) {
    StepRecalled last = steps.peekLast();
    if (last != null && last.step().step() == step) {
      steps.removeLast();
      steps.addLast(new StepRecalled(0, last.step(), loss, accuracy));
    }
  }

  List<String> encode() {
    return steps.stream().map(StepRecalled::encode).toList();
  }

  /** Takes over what a checkpoint holds and returns it, oldest first. */
  List<StepRecalled> restore(List<String> lines) {
    List<StepRecalled> recalled = lines.stream().map(StepRecalled::decode).toList();
    steps.addAll(recalled);
    return recalled;
  }
}
