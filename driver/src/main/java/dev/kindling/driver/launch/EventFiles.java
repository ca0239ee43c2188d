package dev.kindling.driver.launch;

import dev.kindling.worker.event.RoundDone;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.StepRecalled;
import dev.kindling.worker.event.Validated;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.event.tensorboard.EventFile;
import dev.kindling.worker.launch.AttemptFailedException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code events/}: the numbers of {@code metrics.jsonl} for TensorBoard, a file for each attempt
 * that made a step. A picture is never worth a run: the first failure to write is one notice, and
 * the end of the writing.
 */
final class EventFiles implements RunObserver, AutoCloseable {
  private final Path folder;
  private final Clock clock;
  private final Consumer<String> notices;

  /** Steps that some file holds. */
  private final BitSet written;

  private int attempt = 1;
  private @Nullable EventFile file;
  private boolean broken;

  /**
   * @param written steps that earlier drivers of this run have told
   * @param notices one-line messages for people
   */
  EventFiles(Path folder, BitSet written, Clock clock, Consumer<String> notices) {
    this.folder = folder;
    this.written = (BitSet) written.clone();
    this.clock = clock;
    this.notices = notices;
  }

  @Override
  public synchronized void attemptStarts(int number) {
    close();
    attempt = number;
  }

  @Override
  public synchronized void attemptFailed(
      int number, AttemptFailedException failure, boolean retried) {
    close();
  }

  @Override
  public synchronized void emit(WorkerEvent event) {
    if (event instanceof RoundDone round && round.rank() == 0) {
      write(round.step(), round.step(), scalars(round));
    } else if (event instanceof StepDone step && step.rank() == 0) {
      write(step.step(), step.step(), scalars(step));
    } else if (event instanceof Validated validated && validated.rank() == 0) {
      // Where no step of this attempt comes first it belongs to a step of an older file, which
      // stays.
      long replaces = validated.step() + 1;
      Map<String, Double> values = new LinkedHashMap<>();
      put(values, validated.hasLoss(), validated.loss(), validated.accuracy());
      write(replaces, validated.step(), values);
    } else if (event instanceof StepRecalled recalled && recalled.rank() == 0) {
      recalled(recalled);
    }
  }

  private void recalled(StepRecalled recalled) {
    StepDone step = recalled.step();
    if (!written.get((int) step.step())) {
      Map<String, Double> values = scalars(step);
      float loss = recalled.validationLoss();
      put(values, !Float.isNaN(loss), loss, recalled.accuracy());
      write(step.step(), step.step(), values);
    }
  }

  private static void put(Map<String, Double> values, boolean hasLoss, float loss, float accuracy) {
    if (hasLoss) {
      values.put("val_loss", (double) loss);
    }
    if (!Float.isNaN(accuracy)) {
      values.put("validation_accuracy", (double) accuracy);
    }
  }

  /** The keys of the contract's metrics, so that one name means one thing. */
  private static Map<String, Double> scalars(StepDone step) {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss", (double) step.loss());
    values.put("grad_norm", (double) step.gradNorm());
    values.put("lr", step.lr());
    values.put("tokens_per_s", step.tokensPerSecond());
    values.put("step_ms", step.stepMillis());
    values.put("device_bytes_peak", (double) step.deviceBytesPeak());
    values.put("comm_bytes", (double) step.commBytes());
    values.put("comm_exposed_ms", step.commExposedMillis());
    return values;
  }

  private static Map<String, Double> scalars(RoundDone round) {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("outer_step", (double) round.outerStep());
    values.put("sync_exposed_ms", round.exposedMillis());
    values.put("round_loss", (double) round.loss());
    values.put("replica_drift", round.drift());
    values.put("staleness_gap", round.stalenessGap());
    values.values().removeIf(value -> value.isNaN());
    return values;
  }

  private void write(long replacesFrom, long step, Map<String, Double> values) {
    if (broken) {
      return;
    }
    try {
      EventFile open = file;
      if (open == null) {
        open = EventFile.create(folder, attempt, replacesFrom, clock);
        file = open;
      }
      open.scalars(step, values);
      written.set((int) step);
    } catch (IOException | UncheckedIOException e) {
      failed(e);
    }
  }

  private void failed(Exception e) {
    if (!broken) {
      broken = true;
      notices.accept("no more event files for TensorBoard in " + folder + ": " + e);
    }
  }

  @Override
  public synchronized void close() {
    EventFile open = file;
    file = null;
    if (open != null) {
      try {
        open.close();
      } catch (IOException e) {
        failed(e);
      }
    }
  }
}
