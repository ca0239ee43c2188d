package dev.kindling.driver.launch;

import dev.kindling.kernels.fault.Failpoint;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Every failpoint, before and after, as kills of runs of {@link FailpointKillTest}. A run takes one
 * kill of its driver at most and three of its workers, as many as its retries allow.
 */
final class KillTrials {
  /** Where in a run a point can be met for certain. */
  enum Place {
    /** Of a driver before its first attempt. */
    DRIVER_FIRST,
    /** Of a driver, as long as steps are made; what it writes at the end comes last. */
    DRIVER_LAST,
    /** Of a worker before its first step. */
    START,
    /** Of a worker that makes steps. */
    STEP,
    /** Of a worker that saves; may leave parts without a commit. */
    SAVE,
    /** Of a worker that is about to commit; leaves whole parts without a commit. */
    SAVED,
    /** Of a worker that commits. */
    COMMIT,
    /** Of a worker that finds commits. */
    LATE,
    /** Of a worker that finds parts without a commit. */
    SWEEP,
    /** Of a worker that saves beside its steps. */
    BESIDE,
    SPARK,
    EXPORT,
    EXPERIMENT
  }

  /** Which ranks are there. */
  private static final List<Failpoint> RANK_ZERO_ONLY =
      List.of(
          Failpoint.RESTORE_SELECT,
          Failpoint.PART_READ_BACK,
          Failpoint.STATE_WRITE,
          Failpoint.COMMIT_WRITE,
          Failpoint.COMMIT_LINK,
          Failpoint.HINT_REPLACE,
          Failpoint.RETENTION_REVOKE,
          Failpoint.RETENTION_COMMIT,
          Failpoint.RETENTION_PARTS,
          Failpoint.RETENTION_RECORD,
          Failpoint.ORPHANS_REMOVE);

  /** How often a process is at a point in one step, or in one save at most, if not once. */
  private static final Map<Failpoint, Integer> OFTEN =
      Map.of(
          Failpoint.BATCH_READ, 2,
          Failpoint.COLLECTIVE, 8,
          Failpoint.PART_WRITE, 18,
          Failpoint.PART_CREATE, 2,
          Failpoint.PART_SYNC, 2);

  private final Random random;
  private final Map<Place, Deque<String>> lines = new EnumMap<>(Place.class);

  KillTrials(long seed) {
    random = new Random(seed);
    Arrays.stream(Place.values()).forEach(place -> lines.put(place, new ArrayDeque<>()));
    for (Failpoint point : Failpoint.values()) {
      Place place = place(point);
      for (boolean after : new boolean[] {false, true}) {
        lines.get(place).add(line(point, after, place));
      }
    }
  }

  /** Without a default: a point that is new has to find its place here. */
  private static Place place(Failpoint point) {
    return switch (point) {
      case CONFIG_WRITE, DATA_PUBLISH, EPOCH_CLAIM, WORKERS_START -> Place.DRIVER_FIRST;
      case HISTORY_LINE, METRICS_LINE, EVENTS_RECORD, REPORT_PUBLISH -> Place.DRIVER_LAST;
      case RENDEZVOUS,
          COMMUNICATOR_OPEN,
          COLLECTIVE,
          STEP_COMPILE,
          FRESH_WEIGHTS,
          WEIGHTS_SPREAD,
          LEDGER_CREATE ->
          Place.START;
      case BATCH_READ, STEP_SUBMIT, STEP_OUTCOME, LEDGER_WRITE, LEDGER_FOLD -> Place.STEP;
      case PART_CREATE, PART_WRITE, PART_SYNC -> Place.SAVE;
      case PART_READ_BACK, STATE_WRITE -> Place.SAVED;
      case COMMIT_WRITE, COMMIT_LINK, HINT_REPLACE -> Place.COMMIT;
      case ORPHANS_REMOVE -> Place.SWEEP;
      case RESTORE_SELECT,
          RESTORE_READ,
          RETENTION_REVOKE,
          RETENTION_COMMIT,
          RETENTION_PARTS,
          RETENTION_RECORD,
          RESULT_TELL ->
          Place.LATE;
      case SNAPSHOT_TAKE -> Place.BESIDE;
      case REPORT_ACKNOWLEDGE -> Place.SPARK;
      case EXPORT_INDEX, EXPORT_PUBLISH -> Place.EXPORT;
      case EXPERIMENT_RESULT, EXPERIMENT_TABLE -> Place.EXPERIMENT;
    };
  }

  private String line(Failpoint point, boolean after, Place place) {
    int often = OFTEN.getOrDefault(point, 1);
    int times =
        switch (place) {
          // The second save: the commit of the first is there.
          case SAVE, SAVED, COMMIT -> often + 1 + random.nextInt(often);
          case START, STEP -> 1 + random.nextInt(often);
          case DRIVER_FIRST, DRIVER_LAST, LATE, SWEEP, BESIDE, EXPORT, EXPERIMENT -> 1;
          // The first reports come before the first step.
          case SPARK -> 3;
        };
    return "%s%s:%d:%s"
        .formatted(
            point.moment(after),
            who(point, place),
            times,
            random.nextInt(2) == 0 ? "halt" : "kill9");
  }

  private String who(Failpoint point, Place place) {
    return switch (place) {
      case DRIVER_FIRST, DRIVER_LAST, EXPORT, EXPERIMENT -> "@driver";
      case START, STEP, SAVE, SAVED, COMMIT, LATE, SWEEP, BESIDE, SPARK ->
          RANK_ZERO_ONLY.contains(point) ? "@rank0" : "@rank" + random.nextInt(2);
    };
  }

  /** All lines of a place. */
  List<String> of(Place place) {
    return List.copyOf(lines.get(place));
  }

  /** One plan for each run of plain worker processes; together they hold all lines for these. */
  List<List<String>> runs() {
    Map<Place, Deque<String>> left = new EnumMap<>(Place.class);
    lines.forEach((place, all) -> left.put(place, new ArrayDeque<>(all)));
    List<List<String>> runs = new ArrayList<>();
    while (!left.get(Place.LATE).isEmpty() || !left.get(Place.STEP).isEmpty()) {
      List<String> run = new ArrayList<>();
      take(run, 1, left, Place.DRIVER_FIRST);
      boolean driver = !run.isEmpty();
      take(run, 1, left, Place.START, Place.STEP);
      // With a commit, and at first with parts of a killed save, for what comes third.
      take(run, 1, left, Place.SAVED, Place.SAVE, Place.COMMIT, Place.STEP);
      take(run, 1, left, Place.SWEEP, Place.LATE, Place.STEP);
      if (!driver) {
        take(run, 1, left, Place.DRIVER_LAST);
      }
      runs.add(run);
    }
    left.forEach(
        (place, unused) -> {
          boolean others =
              List.of(Place.BESIDE, Place.SPARK, Place.EXPORT, Place.EXPERIMENT).contains(place);
          if (!others && !unused.isEmpty()) {
            throw new IllegalStateException("no run for " + unused);
          }
        });
    return runs;
  }

  private static void take(
      List<String> run, int count, Map<Place, Deque<String>> left, Place... places) {
    int taken = 0;
    for (Place place : places) {
      while (taken < count && !left.get(place).isEmpty()) {
        run.add(left.get(place).remove());
        taken++;
      }
    }
  }
}
