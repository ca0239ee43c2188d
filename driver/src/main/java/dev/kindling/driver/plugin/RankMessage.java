package dev.kindling.driver.plugin;

/** What a rank tells the driver; every message names the run it belongs to. */
public sealed interface RankMessage permits RankStarted, RankReport, RankEnded {
  /** Key of one launch of all ranks; a zombie of an earlier attempt carries another one. */
  String run();

  /** Index of the rank, 0-based. */
  int rank();
}
