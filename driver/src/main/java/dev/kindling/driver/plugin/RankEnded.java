package dev.kindling.driver.plugin;

/**
 * A rank's last words; its thread does nothing for the run after them.
 *
 * @param failure name of the {@link dev.kindling.worker.launch.FailureKind}, empty if it ended well
 * @param message one line for people
 * @param trace stack trace for the log
 */
public record RankEnded(String run, int rank, String failure, String message, String trace)
    implements RankMessage {}
