package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.ThreadRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Two ranks that meet over sockets, with a {@link FaultProxy} for a network. */
class NetworkFaultTest {
  private static final long SEED = Long.getLong("seed", 20261127L);
  private static final Duration WAIT = Duration.ofSeconds(60);
  private static final Duration BRIEF = Duration.ofMillis(500);

  /** Nonces and proofs, before the first collective. */
  private static final int OPENING_UP = 48 + 32;

  private static final int OPENING_DOWN = 64 + 1;

  /** Elements of the all-reduces, one that goes at once and one that goes round in pieces. */
  private static final int[] SIZES = {100, 60_000};

  private static RingOptions options(Duration timeout) {
    return RingOptions.of(
            JobSecret.of("a secret of some length".getBytes(StandardCharsets.UTF_8)),
            "job",
            1,
            "127.0.0.1")
        .withTimeouts(WAIT, timeout);
  }

  /** The hashes of both ranks' sums, or what each threw. */
  private static List<Object> sums(FaultProxy.Fault fault, Duration timeout, ReductionOrder order)
      throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(2, WAIT);
    List<FaultProxy> proxies = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      List<Future<Object>> ranks = new ArrayList<>();
      for (int rank = 0; rank < 2; rank++) {
        Rendezvous own = meeting.get(rank);
        Rendezvous met = rank == 0 ? FaultProxy.behind(own, fault, proxies) : own;
        ranks.add(threads.submit(() -> rank(options(timeout).withOrder(order), met)));
      }
      List<Object> results = new ArrayList<>();
      for (Future<Object> rank : ranks) {
        results.add(rank.get(2, TimeUnit.MINUTES));
      }
      return results;
    } finally {
      threads.shutdownNow();
      proxies.forEach(FaultProxy::close);
    }
  }

  private static Object rank(RingOptions options, Rendezvous met) {
    try (Communicator communicator = RingCommunicator.open(options, met)) {
      List<Integer> hashes = new ArrayList<>();
      for (int elements : SIZES) {
        try (Span data = Span.allocate(4L * elements)) {
          for (int i = 0; i < elements; i++) {
            data.putFloat(i, (float) Math.sin(i + 7.0 * met.rank()));
          }
          communicator.allReduce(data, DType.F32, Reduction.SUM);
          hashes.add(Arrays.hashCode(data.toFloats()));
        }
      }
      return hashes;
    } catch (CollectiveException failed) {
      return failed;
    }
  }

  private static List<Object> undisturbed(ReductionOrder order) throws Exception {
    List<Object> calm =
        sums((way, passed, b, count, line) -> line.write(way, b, count), WAIT, order);
    assertThat(calm.get(0)).isEqualTo(calm.get(1)).isInstanceOf(List.class);
    return calm;
  }

  @ParameterizedTest
  @EnumSource
  void aSlowNetworkChangesNoBit(ReductionOrder order) throws Exception {
    List<Object> calm = undisturbed(order);
    for (FaultProxy.Fault slow :
        List.of(
            FaultProxy.delay(40, 0, SEED),
            FaultProxy.delay(0, 30, SEED),
            FaultProxy.trickle(997, 200),
            FaultProxy.trickle(16 << 10, 4_000))) {
      assertThat(sums(slow, WAIT, order)).isEqualTo(calm);
    }
  }

  /** Positions in headers, payload and sums of both messages; every one must be noticed. */
  @ParameterizedTest
  @EnumSource
  void everyFlippedBitIsNoticedAndSaidByARank(ReductionOrder order) throws Exception {
    Random random = new Random(SEED);
    int first = Call.HEADER_BYTES + 4 * SIZES[0];
    int second = Call.HEADER_BYTES + 4 * SIZES[1] + Seal.BYTES;
    for (FaultProxy.Way way : FaultProxy.Way.values()) {
      int start = way == FaultProxy.Way.UP ? OPENING_UP : OPENING_DOWN;
      int end = start + first + second;
      List<Integer> places = new ArrayList<>(List.of(start, start + 28, start + 32));
      places.addAll(List.of(start + first - 1, start + first, start + first + 28));
      places.addAll(List.of(start + first + 32, end - 5, end - 4, end - 1));
      for (int i = 0; i < 10; i++) {
        places.add(start + random.nextInt(end - start));
      }
      for (int place : places) {
        int bit = random.nextInt(8);
        String what = "seed " + SEED + ", " + way + " byte " + (place - start) + ", bit " + bit;
        List<Object> ended = sums(FaultProxy.flip(way, place, bit), WAIT, order);
        Object receiver = ended.get(way == FaultProxy.Way.UP ? 0 : 1);
        assertThat(receiver).as(what).isInstanceOf(CollectiveException.class);
        assertThat(((Throwable) receiver).getMessage())
            .as(what)
            .containsPattern("damaged on the way from rank|ranks disagree: rank")
            .contains("rank 0", "rank 1");
      }
    }
  }

  private static void assertNamesBoth(Object ended, int rank, String what) {
    assertThat(ended).as(what).isInstanceOf(CollectiveException.class);
    assertThat(((Throwable) ended).getMessage())
        .as(what)
        .contains("rank " + rank + ", allReduce")
        .containsPattern("rank " + (1 - rank) + " at 127\\.0\\.0\\.2:\\d+");
  }

  @Test
  void whatBreaksEndsBothRanksAndNamesThem() throws Exception {
    List<FaultProxy.Ending> endings =
        List.of(
            (way, line) -> line.reset(), (way, line) -> line.end(way), (way, line) -> line.stall());
    List<Object> calm = undisturbed(ReductionOrder.RING);
    for (int kind = 0; kind < endings.size(); kind++) {
      for (FaultProxy.Way way : FaultProxy.Way.values()) {
        for (int at : new int[] {300, 2_000, 100_000}) {
          String what = "ending " + kind + ", " + way + " after " + at;
          List<Object> ended =
              sums(FaultProxy.after(way, at, endings.get(kind)), BRIEF, ReductionOrder.RING);
          assertNamesBoth(ended.get(0), 0, what);
          assertNamesBoth(ended.get(1), 1, what);
        }
      }
    }
    assertThat(undisturbed(ReductionOrder.RING)).isEqualTo(calm);
  }
}
