package dev.kindling.worker.event.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Random;

/** Writes the files of a run that never was: a loss that falls, and whatever a test lets happen. */
final class StoryOfARun {
  private static final double STEP_MILLIS = 840;

  private final StringBuilder metrics = new StringBuilder();
  private final StringBuilder history = new StringBuilder();
  private final Random random = new Random(11);
  private long now = 1_796_000_000_000L;
  private int attempt;

  StoryOfARun driverStarts(boolean resumed) {
    return event(
        """
        "event":"driver_started","resumed":%s,"environment":{"Kindling":"0.1.0-SNAPSHOT",\
        "Commit":"825add9d4f31","Java":"17.0.16, OpenJDK 64-Bit Server VM","Spark":"4.2.0",\
        "Device":"cpu","Ranks":"2","Launcher":"spark","Determinism":"replay",\
        "System":"Linux 6.1","Driver machine":"8 processors, 31 GiB"}\
        """
            .formatted(resumed));
  }

  StoryOfARun driverEnds(int code, String reason) {
    return event(
        "\"event\":\"driver_ended\",\"exit_code\":" + code + ",\"reason\":\"" + reason + "\"");
  }

  StoryOfARun attemptStarts() {
    attempt++;
    now += 9_000;
    return event("\"event\":\"attempt_started\",\"attempt\":" + attempt);
  }

  StoryOfARun attemptFails(long step, String reason) {
    now += 2_000;
    return event(
        "\"event\":\"attempt_failed\",\"attempt\":%d,\"step\":%d,\"kind\":\"lost_worker\",\"rank\":1,\"retried\":true,\"reason\":\"%s\""
            .formatted(attempt, step, reason));
  }

  StoryOfARun checkpoint(long step, String failure) {
    return event(
        "\"event\":\"checkpoint\",\"step\":%d,\"bytes\":15800000,\"millis\":90,\"failure\":\"%s\""
            .formatted(step, failure));
  }

  /** Steps, with a validation at every 50th and a checkpoint at every 40th. */
  StoryOfARun steps(long from, long to) {
    for (long step = from; step <= to; step++) {
      double millis = STEP_MILLIS * (1 + 0.06 * random.nextGaussian() + (step == from ? 1.2 : 0));
      double noise = new Random(step).nextGaussian();
      double loss = 1.35 + 4.2 * Math.exp(-step / 70.0) + 0.07 * noise;
      now += Math.round(millis);
      line(step, Double.toString(loss), millis, step % 50 == 0 ? loss + 0.06 : Double.NaN);
      if (step % 40 == 0) {
        checkpoint(step, "");
      }
    }
    return this;
  }

  StoryOfARun skippedStep(long step) {
    line(step, "\"NaN\"", STEP_MILLIS, Double.NaN);
    return this;
  }

  private void line(long step, String loss, double millis, double validation) {
    double warm = Math.min(1, step / 30.0);
    metrics.append(
        String.format(
            Locale.ROOT,
            "{\"step\":%d,\"tokens\":%d,\"loss\":%s,\"grad_norm\":%s,\"lr\":%s,\"step_ms\":%s,"
                + "\"tokens_per_s\":%s,\"mfu\":null,\"device_bytes_peak\":412000000,"
                + "\"comm_bytes\":5300000,\"comm_exposed_ms\":%s,\"attempt\":%d%s%s,\"unix_ms\":%d}%n",
            step,
            step * 2048,
            loss,
            0.4 + 2 * Math.exp(-step / 40.0) + 0.1 * random.nextDouble(),
            4e-3 * warm * (0.55 + 0.45 * Math.cos(Math.PI * step / 420.0)),
            millis,
            2048 / millis * 1e3,
            millis * (0.05 + 0.02 * random.nextDouble()),
            attempt,
            Double.isNaN(validation) ? "" : ",\"val_loss\":" + validation,
            loss.contains("NaN") ? ",\"skipped\":true" : "",
            now));
  }

  StoryOfARun answers(long step, double share) {
    metrics.append(
        String.format(
            Locale.ROOT,
            "{\"step\":%d,\"attempt\":%d,\"validation_accuracy\":%s}%n",
            step,
            attempt,
            share));
    return this;
  }

  private StoryOfARun event(String members) {
    history.append("{\"unix_ms\":").append(now).append(',').append(members).append("}\n");
    return this;
  }

  /** As a kill leaves them: the last line of each file without its end. */
  StoryOfARun torn() {
    metrics.append("{\"step\":99999,\"tok");
    history.append("\n{\"unix_ms\":17");
    return this;
  }

  StoryOfARun write(Path runDir) throws IOException {
    Files.createDirectories(runDir);
    Files.writeString(runDir.resolve("metrics.jsonl"), metrics);
    Files.writeString(runDir.resolve("history.jsonl"), history);
    return this;
  }

  /** Three kills of workers, a kill of the driver, a signal: the run of the picture in docs. */
  static StoryOfARun disturbed() {
    String lost = "rank 1 was lost: executor 3 exited with 137 (killed)";
    return new StoryOfARun()
        .driverStarts(false)
        .attemptStarts()
        .steps(1, 93)
        .attemptFails(93, lost)
        .attemptStarts()
        .steps(81, 171)
        .attemptFails(171, lost)
        .attemptStarts()
        .steps(161, 204)
        .skippedStep(205)
        .steps(206, 233)
        .driverStarts(true)
        .attemptStarts()
        .steps(201, 204)
        .skippedStep(205)
        .steps(206, 287)
        .checkpoint(288, "rank 0: no space left on device")
        .steps(288, 318)
        .attemptFails(318, "rank 0 was silent for 60 s in phase TRAIN, step 319")
        .attemptStarts()
        .steps(281, 340)
        .driverEnds(143, "")
        .driverStarts(true)
        .attemptStarts()
        .steps(341, 420)
        .driverEnds(0, "");
  }
}
