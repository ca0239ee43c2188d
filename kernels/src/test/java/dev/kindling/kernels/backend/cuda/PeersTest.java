package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import java.util.concurrent.atomic.AtomicInteger;
import jcuda.driver.CUresult;
import org.junit.jupiter.api.Test;

class PeersTest {
  private final FakeDevices world = new FakeDevices(2);
  private final FakeDevices.Rank rank = world.rank(0);
  private final Peers peers = new Peers(20_000_000L);

  private int busy(AtomicInteger asked, int times) {
    return asked.getAndIncrement() < times ? CUresult.CUDA_ERROR_NOT_READY : 0;
  }

  @Test
  void aWaitAsksUntilTheDeviceIsDoneAndCountsWhatHasEnded() {
    peers.meet(rank);
    peers.submit(rank, "first", 10);
    long first = peers.handed();
    peers.submit(rank, "second", 20);
    AtomicInteger asked = new AtomicInteger();
    peers.await(() -> busy(asked, 3), first, "a run");
    assertThat(asked).hasValue(4);
    assertThat(rank.completed).isEqualTo(1);
    peers.await(() -> 0, peers.handed(), "a run");
    assertThat(rank.completed).isEqualTo(2);
    assertThat(rank.log).containsExactly("submitted first 10", "submitted second 20");
  }

  @Test
  void aFailureIsToldWhenTheDeviceHasBecomeIdle() {
    peers.meet(rank);
    peers.submit(rank, "step", 0);
    AtomicInteger asked = new AtomicInteger();
    assertThatThrownBy(
            () ->
                peers.await(
                    () -> {
                      rank.failed = asked.get() >= 2;
                      return busy(asked, 5);
                    },
                    1,
                    "a run"))
        .isInstanceOf(CollectiveException.class);
    assertThat(asked).hasValue(6);
    assertThat(peers.givenUp()).isFalse();
    assertThat(rank.completed).isZero();
  }

  @Test
  void aDeviceThatStaysBusyAfterAFailureIsGivenUp() {
    peers.meet(rank);
    peers.submit(rank, "step", 0);
    rank.failed = true;
    assertThatThrownBy(() -> peers.await(() -> CUresult.CUDA_ERROR_NOT_READY, 1, "a run"))
        .isInstanceOf(CollectiveException.class);
    assertThat(peers.givenUp()).isTrue();
  }

  @Test
  void aBrokenCommunicatorSaysMoreThanTheErrorOfTheDriver() {
    peers.meet(rank);
    assertThatThrownBy(() -> peers.await(() -> CUresult.CUDA_ERROR_LAUNCH_FAILED, 0, "a run"))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("a run");
    rank.failed = true;
    assertThatThrownBy(() -> peers.await(() -> CUresult.CUDA_ERROR_LAUNCH_FAILED, 0, "a run"))
        .isInstanceOf(CollectiveException.class);
  }
}
