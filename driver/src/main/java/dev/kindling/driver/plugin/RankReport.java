package dev.kindling.driver.plugin;

/**
 * Events since the last report, oldest first; may be empty, then it only asks for the driver's
 * wish.
 *
 * @param events each in the wire form of {@link dev.kindling.worker.event.EventCodec}
 */
record RankReport(String run, int rank, byte[][] events) implements RankMessage {}
