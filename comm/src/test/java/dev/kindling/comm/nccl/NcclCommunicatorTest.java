package dev.kindling.comm.nccl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NcclCommunicatorTest {
  private static final Duration LONG = Duration.ofMinutes(1);
  private static final Duration SHORT = Duration.ofMillis(200);

  private final FakeNccl library = new FakeNccl();
  private final AtomicReference<String> lost = new AtomicReference<>();
  private final Communicator host = LoopbackCommunicator.create(1).get(0);

  @AfterEach
  void letGo() {
    library.graphLives = false;
  }

  private NcclCommunicator open(Duration run, Duration close) {
    return NcclCommunicator.open(
        NcclOptions.of(Axis.DATA).withTimeouts(LONG, run, close),
        host,
        () -> library.log.add("sight closed"),
        () -> Optional.ofNullable(lost.get()),
        new NcclCommunicator.Environment(() -> library, Map.of()));
  }

  private NcclCommunicator open() {
    return open(LONG, LONG);
  }

  private static void allReduce(NcclCommunicator communicator) {
    communicator.allReduce(64, 128, 10, Element.BF16, Reduction.SUM, 5);
  }

  private void awaitAbort() throws InterruptedException {
    assertThat(library.aborted.await(1, TimeUnit.MINUTES)).isTrue();
  }

  @Test
  void callsArriveAsTheyWereMade() {
    try (NcclCommunicator communicator = open()) {
      library.log.clear();
      allReduce(communicator);
      communicator.reduceScatter(1, 2, 3, Element.F32, Reduction.MAX, 5);
      communicator.allGather(1, 2, 3, Element.I32, 5);
      communicator.broadcast(1, 2, 3, Element.F32, 0, 5);
      assertThat(library.log)
          .containsExactly(
              "allReduce 64 128 10 BF16 SUM",
              "reduceScatter 1 2 3 F32 MAX",
              "allGather 1 2 3 I32",
              "broadcast 1 2 3 F32 0");
    }
  }

  @Test
  void anAllToAllIsOneGroupOfMessages() {
    Communicator three = LoopbackCommunicator.create(3).get(0);
    Watchdog watchdog =
        new Watchdog("test", library, library, Optional::empty, NcclOptions.of(Axis.EXPERT));
    try (NcclCommunicator communicator = new NcclCommunicator(three, library, watchdog, () -> {})) {
      communicator.allToAll(0, 1000, 4, Element.BF16, 5);
    }
    assertThat(library.log.subList(0, 8))
        .containsExactly(
            "groupStart",
            "send 0 4 to 0",
            "receive 1000 4 from 0",
            "send 8 4 to 1",
            "receive 1008 4 from 1",
            "send 16 4 to 2",
            "receive 1016 4 from 2",
            "groupEnd");
  }

  /** The library counts open groups by thread; an abort before the end would free what it holds. */
  @Test
  void aGroupWhoseCallFailsIsEndedBeforeTheAbort() throws InterruptedException {
    Communicator three = LoopbackCommunicator.create(3).get(0);
    Watchdog watchdog =
        new Watchdog("test", library, library, Optional::empty, NcclOptions.of(Axis.EXPERT));
    try (NcclCommunicator communicator = new NcclCommunicator(three, library, watchdog, () -> {})) {
      library.broken = "send 8 4 to 1";
      assertThatThrownBy(() -> communicator.allToAll(0, 1000, 4, Element.BF16, 5))
          .isInstanceOf(CollectiveException.class)
          .hasMessageContainingAll("send to rank 1 of 4 BF16", "text of 6");
      awaitAbort();
    }
    assertThat(library.log.subList(0, 6))
        .containsExactly(
            "groupStart",
            "send 0 4 to 0",
            "receive 1000 4 from 0",
            "send 8 4 to 1",
            "groupEnd",
            "abort");
  }

  @Test
  void aFailureInTheBackgroundWaitsForTheEndOfAnOpenGroup() throws InterruptedException {
    try (NcclCommunicator communicator = open()) {
      library.log.clear();
      communicator.groupBegin();
      communicator.abort("told to");
      assertThatThrownBy(() -> allReduce(communicator)).hasMessageContaining("told to");
      assertThatThrownBy(communicator::groupEnd).hasMessageContaining("told to");
      awaitAbort();
    }
    assertThat(library.log.subList(0, 3)).containsExactly("groupStart", "groupEnd", "abort");
  }

  @Test
  void aCallReturnsWhenTheLibraryHasTakenItIn() {
    try (NcclCommunicator communicator = open()) {
      library.result = Nccl.IN_PROGRESS;
      library.polls = 5;
      allReduce(communicator);
      assertThat(library.polls).isZero();
    }
  }

  @Test
  void onlyTheEndOfAGroupWaits() {
    try (NcclCommunicator communicator = open()) {
      communicator.groupBegin();
      library.result = Nccl.IN_PROGRESS;
      library.state = Nccl.IN_PROGRESS;
      allReduce(communicator);
      library.state = Nccl.SUCCESS;
      communicator.groupEnd();
    }
  }

  @Test
  void aFailedCallAbortsAndSaysWhatItWas() throws InterruptedException {
    NcclCommunicator communicator = open();
    allReduce(communicator);
    library.result = 3;
    assertThatThrownBy(() -> allReduce(communicator))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContainingAll(
            "DATA", "rank 0 of 1", "allReduce of 10 BF16, call 2", "text of 3", "socket closed");
    awaitAbort();
    library.log.clear();
    assertThatThrownBy(() -> allReduce(communicator)).hasMessageContaining("call 2");
    assertThat(library.log).doesNotContain("allReduce 64 128 10 BF16 SUM");
    communicator.close();
    assertThat(library.log).doesNotContain("destroy");
  }

  @Test
  void aFailureInTheBackgroundAborts() throws InterruptedException {
    try (NcclCommunicator communicator = open()) {
      communicator.submitted("program of 7 nodes", 100);
      library.state = FakeNccl.REMOTE_ERROR;
      awaitAbort();
      assertThat(communicator.failed()).isTrue();
      assertThatThrownBy(communicator::completed)
          .isInstanceOf(CollectiveException.class)
          .hasMessageContainingAll("text of 6", "program of 7 nodes (run 1");
    }
  }

  @Test
  void aLostPeerAbortsWorkThatIsUnderWay() throws InterruptedException {
    try (NcclCommunicator communicator = open()) {
      communicator.submitted("program of 7 nodes", 100);
      communicator.completed();
      communicator.submitted("program of 9 nodes", 100);
      lost.set("lost the connection to ranks [1]");
      awaitAbort();
      assertThatThrownBy(communicator::check)
          .isInstanceOf(CollectiveException.class)
          .hasMessageContainingAll("ranks [1]", "program of 9 nodes (run 2");
    }
  }

  @Test
  void aLostPeerEndsACallThatTheLibraryNeverTakesIn() {
    try (NcclCommunicator communicator = open()) {
      lost.set("lost the connection to ranks [1]");
      library.result = Nccl.IN_PROGRESS;
      library.state = Nccl.IN_PROGRESS;
      assertThatThrownBy(() -> allReduce(communicator)).hasMessageContaining("ranks [1]");
    }
  }

  @Test
  void nothingNewBeginsAfterAPeerIsGone() {
    NcclCommunicator communicator = open();
    lost.set("lost the connection to ranks [1]");
    assertThatThrownBy(() -> communicator.submitted("program of 7 nodes", 0))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContainingAll("ranks [1]", "cannot begin program of 7 nodes");
    communicator.close();
  }

  @Test
  void workThatTakesTooLongIsAborted() throws InterruptedException {
    try (NcclCommunicator communicator = open(SHORT, LONG)) {
      communicator.submitted("program of 7 nodes", 100);
      awaitAbort();
      assertThatThrownBy(communicator::check)
          .hasMessageContainingAll("not done", "program of 7 nodes");
    }
  }

  @Test
  void aCallThatIsNotTakenInIsAborted() {
    try (NcclCommunicator communicator = open(SHORT, LONG)) {
      library.result = Nccl.IN_PROGRESS;
      library.state = Nccl.IN_PROGRESS;
      assertThatThrownBy(() -> allReduce(communicator))
          .hasMessageContainingAll("allReduce of 10 BF16", "not begun after 200 ms");
    }
  }

  /** NCCL's abort returns when the graphs are gone, and the thread that closes them waits here. */
  @Test
  void aFailureIsToldWhileTheAbortStillWaitsForTheGraphs() throws InterruptedException {
    library.graphLives = true;
    NcclCommunicator communicator = open();
    communicator.abort("told to");
    awaitAbort();
    assertThatThrownBy(communicator::check).hasMessageContaining("told to");
    assertThat(library.log).doesNotContain("aborted");
    library.graphLives = false;
    communicator.close();
    assertThat(library.log).contains("aborted").doesNotContain("destroy");
  }

  @Test
  void aSoundCommunicatorIsDestroyedBeforeItsHost() {
    NcclCommunicator communicator = open();
    communicator.close();
    assertThat(library.log).endsWith("destroy", "destroyed", "sight closed");
    assertThat(library.log).doesNotContain("abort");
    try (Span span = Span.allocate(4)) {
      assertThatThrownBy(() -> host.allReduce(span, DType.F32, Reduction.SUM))
          .isInstanceOf(CollectiveException.class);
    }
  }

  @Test
  void closingBeforeTheGraphsIsSaidAndNotWaitedForEver() {
    library.graphLives = true;
    NcclCommunicator communicator = open(LONG, SHORT);
    assertThatThrownBy(communicator::close)
        .isInstanceOf(CollectiveException.class)
        .hasMessageContainingAll("not destroyed after 200 ms", "still open");
    assertThat(library.log).contains("sight closed");
  }

  @Test
  void aCommunicatorThatClosesAfterItsPeersIsAbortedWithoutBeingAFailure() {
    NcclCommunicator communicator = open();
    communicator.submitted("program of 7 nodes", 100);
    communicator.completed();
    lost.set("lost the connection to ranks [1]");
    communicator.close();
    assertThat(library.log).contains("aborted").doesNotContain("destroy");
    assertThat(communicator.failed()).isFalse();
  }

  @Test
  void closingInTheMiddleOfWorkThatThePeersLeftIsAFailure() {
    NcclCommunicator communicator = open();
    communicator.submitted("program of 7 nodes", 100);
    lost.set("lost the connection to ranks [1]");
    communicator.close();
    assertThat(library.log).contains("aborted").doesNotContain("destroy");
    assertThat(communicator.failed()).isTrue();
  }

  @Test
  void bytesOfBothSidesAreCounted() {
    try (NcclCommunicator communicator = open();
        Span span = Span.allocate(4)) {
      communicator.submitted("program of 7 nodes", 100);
      communicator.completed();
      communicator.allReduce(span, DType.F32, Reduction.SUM);
      assertThat(communicator.bytesSent()).isEqualTo(host.bytesSent() + 100);
    }
  }

  @Test
  void waitsOfBothSidesAreCounted() {
    try (NcclCommunicator communicator = open()) {
      communicator.exposed(3_000_000);
      communicator.exposed(5);
      assertThat(communicator.waitNanos()).isEqualTo(host.waitNanos() + 3_000_005);
    }
  }
}
