package dev.kindling.worker.event.report;

import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.List;

/**
 * The numbers of a run over its steps.
 *
 * @param repeated lines of steps that were computed again
 * @param skipped steps that the non-finite guard skipped
 */
record RunCurves(MetricsLog log, long repeated, List<Long> skipped) {
  private static final int TALL = 240;
  private static final int LOW = 150;

  /** Below this a smoothed curve says nothing that the points do not. */
  private static final int SMOOTHED_MIN = 60;

  static RunCurves of(List<Json.Obj> lines) {
    MetricsLog log = MetricsLog.of(lines);
    List<Long> skipped = new ArrayList<>();
    log.byStep()
        .forEach(
            (step, line) -> {
              if (line.find("skipped").isPresent()) {
                skipped.add(step);
              }
            });
    return new RunCurves(log, MetricsLog.repeated(lines), skipped);
  }

  /** 0 if no step was reported. */
  long lastStep() {
    return log.byStep().isEmpty() ? 0 : log.byStep().lastKey();
  }

  /** Seen by all ranks up to the last step. */
  double tokens() {
    return of("", "", "tokens").last();
  }

  Series loss() {
    return of("training", "loss", "loss");
  }

  Series validation() {
    return Series.of("validation", "validation", log.validation(), "val_loss");
  }

  private Series accuracy() {
    return Series.of("", "validation", log.accuracy(), "validation_accuracy");
  }

  Series rate() {
    return of("", "rate", "tokens_per_s");
  }

  Series memory() {
    return of("", "memory", "device_bytes_peak");
  }

  private Series of(String name, String colour, String key) {
    return Series.of(name, colour, log.byStep(), key);
  }

  /** The charts, the most telling first. */
  List<Plot> plots() {
    Series loss = loss();
    Series rate = rate();
    Series sent = of("", "traffic", "comm_bytes");
    Series step = of("step", "rate", "step_ms");
    Series waiting = of("of it waiting for communication", "traffic", "comm_exposed_ms");
    Plot losses = new Plot("Loss", Unit.plain("nats per token"), TALL);
    smoothed(losses, loss).dots(validation()).namesMarks();
    Plot rates = new Plot("Throughput", Unit.rate(rate.median(), "tokens/s"), LOW).fromZero();
    return List.of(
        losses,
        new Plot("Questions answered right", Unit.plain("share of validation.choices"), LOW)
            .fromZero()
            .dots(accuracy()),
        smoothed(rates, rate),
        new Plot("Time of a step", Unit.millis(step.median()), LOW)
            .fromZero()
            .line(step)
            .line(waiting),
        new Plot("Memory", unitOf(memory(), "reserved on the device of a rank"), LOW)
            .fromZero()
            .line(memory()),
        new Plot("Communication", unitOf(sent, "sent by a rank in a step"), LOW)
            .fromZero()
            .line(sent),
        new Plot("Gradient norm", Unit.plain("L2, before clipping"), LOW)
            .fromZero()
            .line(of("", "loss", "grad_norm")),
        new Plot("Learning rate", Unit.plain("per step"), LOW)
            .fromZero()
            .line(of("", "validation", "lr")));
  }

  private static Unit unitOf(Series bytes, String what) {
    Unit unit = Unit.bytes(bytes.max());
    return new Unit(unit.divisor(), unit.name() + " " + what);
  }

  /** Every point, faint, and their running mean. */
  private static Plot smoothed(Plot plot, Series series) {
    return series.values().length < SMOOTHED_MIN
        ? plot.line(series)
        : plot.line(new Series("", series.colour() + " faint", series.steps(), series.values()))
            .line(series.smooth(series.colour()));
  }
}
