package dev.kindling.worker.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

class LogScopeTest {
  private static <T> T inThread(Callable<T> body) throws Exception {
    FutureTask<T> task = new FutureTask<>(body);
    new Thread(task).start();
    return task.get();
  }

  @Test
  void aThreadAndThoseItStartsBelongToItsRankAndOthersToThatOfTheProcess() throws Exception {
    LogBuffer one = new LogBuffer(1);
    LogBuffer whole = new LogBuffer(2);
    assertThat(inThread(LogScope::current)).isEmpty();
    Optional<LogBuffer> child =
        inThread(
            () -> {
              LogScope.ofThread(one);
              return inThread(LogScope::current);
            });
    assertThat(child).contains(one);
    try {
      LogScope.ofProcess(whole);
      assertThat(inThread(LogScope::current)).contains(whole);
      // A pool that an earlier rank of this process started works for the present one.
      Optional<LogBuffer> heir =
          inThread(
              () -> {
                LogScope.ofThread(one);
                one.close();
                return inThread(LogScope::current);
              });
      assertThat(heir).contains(whole);
    } finally {
      whole.close();
    }
    assertThat(inThread(LogScope::current)).isEmpty();
  }
}
