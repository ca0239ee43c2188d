package dev.kindling.driver.plugin;

/**
 * Events since the last report, oldest first; may be empty, then it only asks for the driver's
 * wish. Sent again until it is answered, so the driver may see it more than once.
 *
 * @param first number of the first event, counted from 0 over all events of this rank and run; a
 *     jump over the end of the last report says how many were dropped
 * @param events each in the wire form of {@link dev.kindling.worker.event.EventCodec}
 */
record RankReport(String run, int rank, long first, byte[][] events) implements RankMessage {}
