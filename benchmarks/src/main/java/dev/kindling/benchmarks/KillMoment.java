package dev.kindling.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * When a process is killed.
 *
 * @param window what the moment is counted from
 * @param step step that was reported, or whose save began; 0 after a kill
 * @param place how far into the window, from 0 to 1
 * @param ranks number of ranks from then on, 0 = as before
 */
record KillMoment(KillTarget target, Window window, long step, double place, int ranks) {
  /** What a moment is counted from. */
  enum Window {
    /** A reported step; as long as a step. */
    STEP,
    /** The first file of a checkpoint; twice as long as a save. */
    SAVE,
    /** The kill before, when nothing is back at work yet. */
    RECOVERY
  }

  /** Steps between two kills of a run, so that each finds it at work. */
  static final int STEPS_APART = 15;

  private static final double RECOVERY_SHARE = 0.1;

  private static final List<KillTarget> TURNS =
      List.of(KillTarget.WORKER, KillTarget.RANK_ZERO, KillTarget.DRIVER);

  /**
   * Kills of one run in their order: targets take turns, so that no driver meets more failures than
   * its budget allows, and every second moment falls into a save.
   *
   * @param first number of the first of them among all kills, from 0
   */
  static List<KillMoment> row(Random random, int first, int count, int checkpointEvery) {
    List<KillMoment> row = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Window window =
          (first + i) % 2 == 0
              ? Window.SAVE
              : i > 0 && random.nextDouble() < 2 * RECOVERY_SHARE ? Window.RECOVERY : Window.STEP;
      KillTarget target = TURNS.get((first + i) % TURNS.size());
      row.add(at(random, target, window, i, checkpointEvery));
    }
    return row;
  }

  /** The kill number {@code i} of its run, from 0. */
  static KillMoment at(Random random, KillTarget target, Window window, int i, int every) {
    long from = (long) i * STEPS_APART;
    long step =
        switch (window) {
          case STEP -> from + 1 + random.nextInt(STEPS_APART);
          case SAVE -> from + every * (1L + random.nextInt(STEPS_APART / every));
          case RECOVERY -> 0;
        };
    return new KillMoment(target, window, step, random.nextDouble(), 0);
  }

  /** The same, with another number of ranks from then on. */
  KillMoment goingOnWith(int otherRanks) {
    return new KillMoment(target, window, step, place, otherRanks);
  }

  /** Steps that a run must have for so many kills. */
  static int steps(int kills) {
    return (kills + 1) * STEPS_APART;
  }

  @Override
  public String toString() {
    String where =
        switch (window) {
          case STEP -> "after step " + step;
          case SAVE -> "in the save of step " + step;
          case RECOVERY -> "in the recovery before";
        };
    return target + " " + where + (ranks == 0 ? "" : ", then " + ranks + " ranks");
  }
}
