package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.ThreadRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Who is let in, who is not, and what is said about it. */
class OpeningTest {
  private static final Duration WAIT = Duration.ofSeconds(30);

  private static JobSecret secret(String text) {
    return JobSecret.of(("a secret of some length " + text).getBytes(StandardCharsets.UTF_8));
  }

  private static RingOptions options(String secret, String job, long attempt) {
    return RingOptions.of(secret(secret), job, attempt, "127.0.0.1").withTimeouts(WAIT, WAIT);
  }

  /** Runs all tasks at once and returns what each threw, or its value. */
  private static List<Object> together(List<Callable<Object>> tasks) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
    try {
      var futures = new ArrayList<Future<Object>>();
      for (Callable<Object> task : tasks) {
        futures.add(
            threads.submit(
                () -> {
                  try {
                    return task.call();
                  } catch (Throwable e) {
                    return e;
                  }
                }));
      }
      var results = new ArrayList<Object>();
      for (Future<Object> future : futures) {
        results.add(future.get(2, TimeUnit.MINUTES));
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }

  private static float sumOfOnes(RingOptions options, Rendezvous rendezvous) {
    try (var communicator = RingCommunicator.open(options, rendezvous);
        Span data = Span.allocate(400)) {
      data.putFloat(99, 1f);
      communicator.allReduce(data, DType.F32, Reduction.SUM);
      return data.getFloat(99);
    }
  }

  private static void refusesSecondRank(RingOptions first, RingOptions second) throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(2, WAIT);
    Duration brief = Duration.ofMillis(700);
    List<Object> results =
        together(
            List.of(
                () -> sumOfOnes(first.withTimeouts(brief, WAIT), meeting.get(0)),
                () -> sumOfOnes(second.withTimeouts(brief, WAIT), meeting.get(1))));
    assertThat(results.get(0)).isInstanceOf(CollectiveException.class);
    assertThat(((Throwable) results.get(0)).getMessage()).contains("no connection with ranks [1]");
    assertThat(results.get(1)).isInstanceOf(CollectiveException.class);
    assertThat(((Throwable) results.get(1)).getMessage())
        .contains("refused rank 0", "another secret, job id or attempt");
  }

  @Test
  void anotherSecretJobOrAttemptIsRefused() throws Exception {
    refusesSecondRank(options("a", "job", 1), options("b", "job", 1));
    refusesSecondRank(options("a", "job", 1), options("a", "other", 1));
    refusesSecondRank(options("a", "job", 1), options("a", "job", 2));
  }

  @Test
  void portInUseIsNamed() throws IOException {
    try (var taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      int port = taken.getLocalPort();
      assertThatThrownBy(
              () ->
                  RingCommunicator.open(
                      options("a", "job", 1).withPort(port),
                      ThreadRendezvous.create(1, WAIT).get(0)))
          .isInstanceOf(CollectiveException.class)
          .hasMessageContaining("127.0.0.1 port " + port)
          .hasMessageContaining("in use");
    }
  }

  @Test
  void theWildcardAddressAndUnknownNamesAreRefused() {
    for (String bind : List.of("0.0.0.0", "::", "no-such-interface.invalid")) {
      assertThatThrownBy(
              () ->
                  RingCommunicator.open(
                      RingOptions.of(secret("a"), "job", 1, bind),
                      ThreadRendezvous.create(1, WAIT).get(0)))
          .isInstanceOf(CollectiveException.class);
    }
  }

  @Test
  void loopbackInterfaceByName() {
    float sum =
        sumOfOnes(
            RingOptions.of(secret("a"), "job", 1, "lo"), ThreadRendezvous.create(1, WAIT).get(0));
    assertThat(sum).isEqualTo(1f);
  }

  /** Rank 1 waits until strangers have filled the listener of rank 0 with garbage. */
  @Test
  void garbageAtTheListenerDisturbsNobody() throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(2, WAIT);
    var sockets = new ArrayList<Socket>();
    Rendezvous attacked =
        new Rendezvous() {
          @Override
          public int rank() {
            return 1;
          }

          @Override
          public int worldSize() {
            return 2;
          }

          @Override
          public List<String> allGather(String message) {
            List<String> all = meeting.get(1).allGather(message);
            int port = Integer.parseInt(all.get(0).split(" ", -1)[2]);
            sockets.addAll(strangers(port));
            return all;
          }
        };
    try {
      List<Object> results =
          together(
              List.of(
                  () -> sumOfOnes(options("a", "job", 1), meeting.get(0)),
                  () -> sumOfOnes(options("a", "job", 1), attacked)));
      assertThat(results).containsExactly(2f, 2f);
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  /** 100 connections, more than the limit: silent ones, short and long garbage. */
  private static List<Socket> strangers(int port) {
    var random = new Random(11);
    var sockets = new ArrayList<Socket>();
    try {
      for (int i = 0; i < 100; i++) {
        var socket = new Socket("127.0.0.1", port);
        sockets.add(socket);
        byte[] garbage = new byte[i % 3 * 40];
        random.nextBytes(garbage);
        socket.getOutputStream().write(garbage);
      }
    } catch (IOException e) {
      // A stranger is allowed to be thrown out early.
      assertThat(sockets).isNotEmpty();
    }
    return sockets;
  }

  @Test
  void absentRankIsNamed() throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(3, WAIT);
    var brief = options("a", "job", 1).withTimeouts(Duration.ofMillis(500), WAIT);
    String dead = "kindling-ring/3 127.0.0.1 1 00";
    List<Object> results =
        together(
            List.of(
                () -> sumOfOnes(brief, meeting.get(0)),
                () -> sumOfOnes(brief, meeting.get(1)),
                () -> meeting.get(2).allGather(dead)));
    assertThat(((Throwable) results.get(0)).getMessage()).contains("ranks [2]");
    assertThat(((Throwable) results.get(1)).getMessage()).contains("ranks [2]");
  }

  /** Nobody listens at port 1 of rank 0, so every try is refused at once. */
  @Test
  void aPeerThatRefusesIsAskedAgainWithGrowingPauses() throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(2, WAIT);
    var brief = options("a", "job", 1).withTimeouts(Duration.ofMillis(500), WAIT);
    List<Object> results =
        together(
            List.of(
                () -> meeting.get(0).allGather("kindling-ring/3 127.0.0.1 1 00"),
                () -> sumOfOnes(brief, meeting.get(1))));
    String message = String.valueOf(((Throwable) results.get(1)).getMessage());
    assertThat(message).contains("no connection with ranks [0]");
    var counted = Pattern.compile("\\((\\d+) connections refused").matcher(message);
    assertThat(counted.find()).isTrue();
    // After 0, 10, 30, 70, 150, 310 and 510 ms; fewer on a slow machine.
    assertThat(Integer.parseInt(counted.group(1))).isBetween(1, 7);
  }

  @Test
  void secretIsNeverPrinted() {
    assertThat(options("a", "job", 1).toString()).doesNotContain("some length").contains("hidden");
  }
}
