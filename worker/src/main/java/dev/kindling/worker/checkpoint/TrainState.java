package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Everything of a run that is not a tensor; {@code state.json} of a generation.
 *
 * @param step optimizer steps done
 * @param tokens tokens seen by all ranks
 * @param schedulePosition position of the learning-rate schedule (steps, unless a rollback moved
 *     it)
 * @param seed key of every counter-based random stream: there is no other random state
 * @param skippedSteps steps that the non-finite guard left without an update, ascending
 * @param guards other guard values by name, as text that parses back to the same bits
 * @param attempt number of the attempt that wrote this; no part of the trajectory
 * @param reports last reported steps as text, told again on resume; no part of the trajectory
 */
public record TrainState(
    long step,
    long tokens,
    DataCursor cursor,
    long schedulePosition,
    long seed,
    List<Long> skippedSteps,
    Map<String, String> guards,
    int attempt,
    List<String> reports) {
  public TrainState {
    skippedSteps = List.copyOf(skippedSteps);
    reports = List.copyOf(reports);
    guards = Collections.unmodifiableMap(new TreeMap<>(guards));
    if (step < 0 || tokens < 0 || schedulePosition < 0 || attempt < 0) {
      throw new IllegalArgumentException(
          "train state: expected step, tokens, schedule position and attempt >= 0");
    }
  }

  byte[] bytes() {
    return put(attempt)
        .put("reports", Json.of(reports.stream().map(Json::of).toList()))
        .build()
        .bytes();
  }

  /** The bytes that two runs on the same trajectory share: all but attempt and reports. */
  public String trajectory() {
    return put(0).build().write();
  }

  private Json.Building put(int shownAttempt) {
    return Json.object()
        .put("step", step)
        .put("tokens", tokens)
        .put(
            "cursor",
            Json.object()
                .put("epoch", cursor.epoch())
                .put("sample", cursor.sample())
                .put("dataset", cursor.dataset())
                .build())
        .put("schedulePosition", schedulePosition)
        .put("seed", seed)
        .put("skippedSteps", Json.of(skippedSteps.stream().map(Json::of).toList()))
        .put("guards", Json.strings(guards))
        .put("attempt", shownAttempt);
  }

  static TrainState read(byte[] bytes, String file) {
    try {
      Json.Obj json = JsonReader.read(bytes, file).asObject("state");
      Json.Obj cursor = json.object("cursor");
      List<Long> skipped = new ArrayList<>();
      for (Json step : json.list("skippedSteps")) {
        skipped.add(step.asInteger("skippedSteps", 0, Long.MAX_VALUE));
      }
      return new TrainState(
          json.integer("step", 0, Long.MAX_VALUE),
          json.integer("tokens", 0, Long.MAX_VALUE),
          new DataCursor(
              cursor.integer("epoch", 0, Long.MAX_VALUE),
              cursor.integer("sample", 0, Long.MAX_VALUE),
              cursor.text("dataset")),
          json.integer("schedulePosition", 0, Long.MAX_VALUE),
          json.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE),
          skipped,
          json.stringMap("guards"),
          (int) json.integer("attempt", 0, Integer.MAX_VALUE),
          json.texts("reports"));
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    }
  }
}
