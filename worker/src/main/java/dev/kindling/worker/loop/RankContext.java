package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.worker.event.EventSink;
import java.util.OptionalInt;

/**
 * The world around one rank, as a launcher provides it.
 *
 * @param rendezvous how the ranks of this attempt meet, once
 * @param connector how they connect afterwards
 * @param events where the rank reports
 * @param stop whether it should end early
 * @param ranksOnThisHost how many ranks share the cores of this machine
 * @param gpu ordinal of the rank's GPU among those that its process sees, where the launcher says;
 *     empty only if it places consecutive ranks on a host: they take consecutive GPUs
 * @param pulse counts what the rank gets done, and tells it while it beats
 */
public record RankContext(
    Rendezvous rendezvous,
    Connector connector,
    EventSink events,
    StopSignal stop,
    int ranksOnThisHost,
    OptionalInt gpu,
    Pulse pulse) {

  /** A rank whose launcher says which GPU it takes. */
  public RankContext(
      Rendezvous rendezvous,
      Connector connector,
      EventSink events,
      StopSignal stop,
      int ranksOnThisHost,
      OptionalInt gpu) {
    this(
        rendezvous,
        connector,
        events,
        stop,
        ranksOnThisHost,
        gpu,
        new Pulse(rendezvous.rank(), events));
  }

  /** A rank whose launcher says nothing about GPUs and places consecutive ranks on a host. */
  public RankContext(
      Rendezvous rendezvous,
      Connector connector,
      EventSink events,
      StopSignal stop,
      int ranksOnThisHost) {
    this(rendezvous, connector, events, stop, ranksOnThisHost, OptionalInt.empty());
  }

  /** Ordinal of the rank's GPU among those that its process sees. */
  public int gpuOrdinal() {
    return gpu.orElse(rendezvous.rank() % ranksOnThisHost);
  }
}
