package dev.kindling.worker.event.report;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.report.Timeline.Attempt;
import dev.kindling.worker.event.report.Timeline.Ending;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * {@code report.html} of a run folder, from its {@code metrics.jsonl} and {@code history.jsonl}.
 * The same files give the same bytes.
 */
public final class Report {
  private static final String FILE = "report.html";

  /** A story of more lines than this is told from its end. */
  private static final int EVENTS_MAX = 400;

  private static final DateTimeFormatter CLOCK =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private final String name;
  private final String configYaml;
  private final Timeline timeline;
  private final RunCurves curves;
  private final StepAxis axis;
  private final long startMillis;

  private Report(String name, String configYaml, List<Json.Obj> history, List<Json.Obj> metrics) {
    this.name = name;
    this.configYaml = configYaml;
    this.timeline = Timeline.of(history, metrics);
    this.curves = RunCurves.of(metrics);
    SortedMap<Long, Long> times = new TreeMap<>();
    curves
        .log()
        .byStep()
        .forEach(
            (step, line) -> {
              long time = Timeline.integer(line, "unix_ms");
              if (time > 0) {
                times.put(step, time);
              }
            });
    this.startMillis =
        timeline.events().stream()
            .mapToLong(Timeline.Event::unixMillis)
            .filter(time -> time > 0)
            .findFirst()
            .orElse(times.isEmpty() ? 0 : times.get(times.firstKey()));
    // A bar that begins at step 1 begins where nothing was done yet.
    this.axis = new StepAxis(0, curves.lastStep(), times, startMillis);
  }

  /**
   * Writes the page, whole or not at all.
   *
   * @param configYaml the resolved configuration, without secrets
   */
  public static void write(Path runDir, String configYaml) throws IOException {
    Path folder = runDir.toAbsolutePath().normalize();
    String page =
        new Report(
                String.valueOf(folder.getFileName()),
                configYaml,
                MetricsLog.lines(folder.resolve("history.jsonl")),
                MetricsLog.lines(folder.resolve("metrics.jsonl")))
            .page();
    Failpoint.REPORT_PUBLISH.before();
    new LocalStorage(folder).replace(FILE, page.getBytes(StandardCharsets.UTF_8));
    Failpoint.REPORT_PUBLISH.after();
  }

  private String page() throws IOException {
    Markup out = new Markup();
    out.add("<!DOCTYPE html>%n<html lang=\"en\"><head><meta charset=\"utf-8\"/>%n");
    out.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>%n");
    out.add(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src"
            + " 'unsafe-inline'\"/>%n");
    out.add("<title>%s: Kindling report</title>%n<style>%n", name);
    StringBuilder page = new StringBuilder(out.toString()).append(style()).append("</style>");
    Markup body = new Markup();
    body.add("</head>%n<body><main>%n").add(head()).add(tiles());
    if (!timeline.attempts().isEmpty() && curves.lastStep() > 0) {
      body.add("<section class=\"wide\">").add(new Lanes(timeline, axis).figure());
      body.add("</section>%n");
    }
    body.add(charts()).add(story()).add(facts());
    body.add("</main></body></html>%n");
    return page.append(body).toString();
  }

  /** Our own file: the one text that enters the page as it is. */
  private static String style() throws IOException {
    try (InputStream in = Report.class.getResourceAsStream("report.css")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private Markup head() {
    Ending ending = timeline.ending();
    Markup out = new Markup();
    out.add("<header><p class=\"brand\">Kindling</p><h1>%s</h1>%n", name);
    out.add(
        "<p class=\"lead\"><span class=\"pill %s\">%s</span> %s</p></header>%n",
        ending.name().toLowerCase(Locale.ROOT), ending.words, sentence());
    return out;
  }

  /** The run in one sentence. */
  private String sentence() {
    if (curves.lastStep() == 0) {
      return "No step was reported.";
    }
    StringBuilder text = new StringBuilder();
    text.append(String.format(Locale.ROOT, "%,d steps", curves.lastStep()));
    int attempts = timeline.attempts().size();
    if (attempts > 1) {
      text.append(" in ").append(attempts).append(" attempts");
    }
    long failures = timeline.failures();
    if (failures > 0) {
      text.append(failures == 1 ? ", 1 failure" : ", " + failures + " failures");
    }
    if (curves.repeated() > 0) {
      text.append(curves.repeated() == 1 ? ", 1 step" : ", " + curves.repeated() + " steps");
      text.append(" computed again");
    }
    return text.append('.').toString();
  }

  private Markup tiles() {
    Markup out = new Markup();
    out.add("<section class=\"tiles\">%n");
    if (curves.lastStep() > 0) {
      tile(out, "final loss", Unit.number(curves.loss().last()), "nats per token");
      if (!curves.validation().isEmpty()) {
        tile(out, "best validation", Unit.number(curves.validation().min()), "nats per token");
      }
      Unit rate = Unit.rate(curves.rate().median(), "tokens/s");
      tile(out, "median speed", Unit.number(curves.rate().median() / rate.divisor()), rate.name());
      tile(out, "tokens seen", Unit.number(curves.tokens()), "all ranks");
      Unit memory = Unit.bytes(curves.memory().max());
      tile(
          out,
          "peak memory",
          Unit.number(curves.memory().max() / memory.divisor()),
          memory.name() + " per rank");
      axis.elapsedMillis(curves.lastStep())
          .ifPresent(millis -> tile(out, "to the last step", Unit.span(millis), "since the start"));
    }
    tile(out, "checkpoints", Unit.number(timeline.saved()), "saved");
    tile(out, "failures", Unit.number(timeline.failures()), "of attempts");
    return out.add("</section>%n");
  }

  private static void tile(Markup out, String what, String value, String unit) {
    out.add(
        "<div class=\"tile\"><span>%s</span><b>%s</b><span>%s</span></div>%n", what, value, unit);
  }

  private Markup charts() {
    Markup out = new Markup();
    List<Plot> plots = curves.plots();
    List<Mark> marks = marks();
    out.add("<section class=\"charts\">%n");
    plots.stream()
        .filter(plot -> !plot.isEmpty())
        .forEach(plot -> out.add(plot.figure(axis, marks)));
    return out.add("</section>%n");
  }

  /** Failures and skipped steps, through every chart. */
  private List<Mark> marks() {
    List<Mark> marks = new ArrayList<>();
    for (Attempt attempt : timeline.attempts()) {
      if (attempt.stepped() && attempt.ending() == Ending.STOPPED) {
        marks.add(
            new Mark(
                attempt.lastStep(), Mark.Kind.STOP, "stopped after step " + attempt.lastStep()));
      } else if (attempt.stepped() && attempt.ending() != Ending.DONE) {
        String what = "attempt " + attempt.number() + " " + attempt.ending().words;
        marks.add(
            new Mark(
                attempt.lastStep(), Mark.Kind.FAULT, what + " after step " + attempt.lastStep()));
      }
    }
    for (long step : curves.skipped()) {
      marks.add(new Mark(step, Mark.Kind.SKIP, "step " + step + " skipped: not finite"));
    }
    return marks;
  }

  private Markup story() {
    Markup out = new Markup();
    List<Timeline.Event> events = timeline.events();
    if (events.isEmpty()) {
      return out;
    }
    out.add("<section><h2>What happened</h2><ol class=\"story\">%n");
    int hidden = Math.max(0, events.size() - EVENTS_MAX);
    if (hidden > 0) {
      out.add("<li>%d earlier lines are in history.jsonl</li>%n", hidden);
    }
    for (Timeline.Event event : events.subList(hidden, events.size())) {
      out.add("<li class=\"%s\">", event.tone().name().toLowerCase(Locale.ROOT));
      if (event.unixMillis() > 0) {
        out.add("<time>%s</time> ", CLOCK.format(Instant.ofEpochMilli(event.unixMillis())));
      }
      out.add("<span>%s</span>", event.text());
      if (!event.detail().isBlank()) {
        out.add("<pre>%s</pre>", event.detail().strip());
      }
      out.add("</li>%n");
    }
    return out.add("</ol></section>%n");
  }

  private Markup facts() {
    Markup out = new Markup();
    out.add("<section class=\"pair\"><div><h2>Configuration</h2><pre>%s</pre></div>%n", configYaml);
    out.add("<div><h2>Environment</h2><dl>%n");
    for (Map.Entry<String, String> fact : timeline.environment().entrySet()) {
      out.add("<dt>%s</dt><dd>%s</dd>%n", fact.getKey(), fact.getValue());
    }
    return out.add("</dl></div></section>%n");
  }
}
