package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.checkpoint.CheckpointException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SoloWorkTest {
  private static final Duration PULSE = Duration.ofMillis(1);

  /** Counts the collectives that this rank has come back from. */
  private static Communicator heard(Communicator own, CountDownLatch calls) {
    return (Communicator)
        Proxy.newProxyInstance(
            Communicator.class.getClassLoader(),
            new Class<?>[] {Communicator.class},
            (proxy, method, arguments) -> {
              Object result = method.invoke(own, arguments);
              if (method.getName().equals("allGather")) {
                calls.countDown();
              }
              return result;
            });
  }

  private static boolean await(CountDownLatch calls) {
    try {
      return calls.await(1, TimeUnit.MINUTES);
    } catch (InterruptedException stopped) {
      throw new IllegalStateException(stopped);
    }
  }

  @Test
  void theOthersHearOfRank0WhileItWorks() throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(2);
    CountDownLatch calls = new CountDownLatch(20);
    FutureTask<String> other =
        new FutureTask<>(
            () -> SoloWork.told(heard(world.get(1), calls), () -> "not asked for", PULSE));
    new Thread(other).start();
    String told = SoloWork.told(world.get(0), () -> "heard " + await(calls), PULSE);
    assertThat(told).isEqualTo("heard true");
    assertThat(other.get(1, TimeUnit.MINUTES)).isEqualTo("heard true");
  }

  @Test
  void anEmptyResultAndAFailureAreToldAsTheyAre() {
    Communicator alone = LoopbackCommunicator.create(1).get(0);
    assertThat(SoloWork.told(alone, () -> "")).isEmpty();
    CheckpointException failure = new CheckpointException("none can be loaded");
    assertThatThrownBy(
            () ->
                SoloWork.told(
                    alone,
                    () -> {
                      throw failure;
                    }))
        .isSameAs(failure);
  }
}
