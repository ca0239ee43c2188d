package dev.kindling.driver.plugin;

/**
 * A rank's first words.
 *
 * @param executor Spark's executor id
 * @param host on which the executor runs
 * @param pid of the executor JVM
 * @param workDir working folder of the executor JVM; standalone keeps its stderr there
 */
public record RankStarted(
    String run, int rank, String executor, String host, long pid, String workDir)
    implements RankMessage {}
