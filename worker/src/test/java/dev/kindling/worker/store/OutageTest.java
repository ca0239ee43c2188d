package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

class OutageTest {
  @Test
  void connectionsThatFailAreOutages() {
    for (Exception cause :
        List.of(
            new ConnectException("refused"),
            new NoRouteToHostException("no route"),
            new UnknownHostException("nn1"),
            new SocketTimeoutException("60 s"),
            new InterruptedIOException("closed"),
            new TimeoutException(),
            new InterruptedException())) {
      assertThat(Outage.isBehind(cause)).as("%s", cause).isTrue();
      assertThat(Outage.isBehind(new ExecutionException(new IOException(cause)))).isTrue();
    }
    ConnectException refused = new ConnectException("refused");
    assertThat(Outage.of("s3a://b/q", refused))
        .isInstanceOf(OutageException.class)
        .hasMessage("s3a://b/q: cannot be reached: java.net.ConnectException: refused")
        .hasRootCause(refused);
  }

  @Test
  void whatLiesInAStoreIsNone() {
    for (Exception cause :
        List.of(
            new FileNotFoundException("q"),
            new NoSuchFileException("q"),
            new AccessDeniedException("q"),
            new EOFException("q"),
            new IOException("not a Parquet file"))) {
      assertThat(Outage.isBehind(new IOException(cause))).as("%s", cause).isFalse();
    }
  }
}
