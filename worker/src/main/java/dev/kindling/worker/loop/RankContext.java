package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.worker.event.EventSink;

/**
 * The world around one rank, as a launcher provides it.
 *
 * @param rendezvous how the ranks of this attempt meet, once
 * @param connector how they connect afterwards
 * @param events where the rank reports
 * @param stop whether it should end early
 * @param ranksOnThisHost how many ranks share the cores of this machine
 */
public record RankContext(
    Rendezvous rendezvous,
    Connector connector,
    EventSink events,
    StopSignal stop,
    int ranksOnThisHost) {}
