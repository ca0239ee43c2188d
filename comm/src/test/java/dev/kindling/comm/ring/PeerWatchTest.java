package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.World;
import dev.kindling.comm.rendezvous.CommunicatorRendezvous;
import dev.kindling.kernels.backend.Communicator;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class PeerWatchTest {
  private static final RingOptions OPTIONS =
      RingOptions.of(
          JobSecret.of("a secret that nobody else has".getBytes(StandardCharsets.UTF_8)),
          "watch",
          1,
          "127.0.0.1");

  private static PeerWatch open(Communicator communicator) {
    return PeerWatch.open(OPTIONS, new CommunicatorRendezvous(communicator));
  }

  private static String news(PeerWatch watch) throws InterruptedException {
    while (watch.lost().isEmpty()) {
      Thread.sleep(5);
    }
    return watch.lost().get();
  }

  @Test
  void aPeerThatGoesIsNamedByAllOthers() {
    CountDownLatch seen = new CountDownLatch(3);
    World.LOOPBACK.runAll(
        3,
        communicator -> {
          PeerWatch watch = open(communicator);
          assertThat(watch.lost()).isEmpty();
          // All have looked before one goes.
          new CommunicatorRendezvous(communicator).allGather("looked");
          if (communicator.rank() == 1) {
            watch.close();
            assertThat(watch.lost()).isEmpty();
          } else {
            assertThat(news(watch)).isEqualTo("lost the connection to ranks [1]");
          }
          // Nobody else goes before all have looked.
          seen.countDown();
          seen.await();
          watch.close();
        });
  }

  @Test
  void aSilentPeerIsNotLost() {
    World.LOOPBACK.runAll(
        2,
        communicator -> {
          try (PeerWatch watch = open(communicator)) {
            Thread.sleep(300);
            assertThat(watch.lost()).isEmpty();
            // Both have looked before either closes.
            new CommunicatorRendezvous(communicator).allGather("looked");
          }
        });
  }
}
