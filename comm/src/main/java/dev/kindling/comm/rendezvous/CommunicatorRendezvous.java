package dev.kindling.comm.rendezvous;

import dev.kindling.kernels.backend.Communicator;
import java.util.List;

/** Ranks that talk already meet once more, for further connections. */
public record CommunicatorRendezvous(Communicator communicator) implements Rendezvous {
  @Override
  public int rank() {
    return communicator.rank();
  }

  @Override
  public int worldSize() {
    return communicator.worldSize();
  }

  @Override
  public List<String> allGather(String message) {
    return TextExchange.allGather(communicator, message);
  }
}
