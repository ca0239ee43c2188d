package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceCommunicator;
import java.util.List;

/** Collectives that start together: one call, or one group of all their calls. */
record Convoy(DeviceCommunicator communicator, List<CollectiveCalls> members) implements Command {
  Convoy {
    members = List.copyOf(members);
  }

  @Override
  public void issue() {
    if (members.size() == 1 && members.get(0).count() == 1) {
      members.get(0).enqueue();
      return;
    }
    communicator.group(this::enqueue);
  }

  private void enqueue() {
    for (CollectiveCalls member : members) {
      member.enqueue();
    }
  }

  long sentBytes() {
    return members.stream().mapToLong(CollectiveCalls::sentBytes).sum();
  }

  @Override
  public String toString() {
    return "collectives " + members;
  }
}
