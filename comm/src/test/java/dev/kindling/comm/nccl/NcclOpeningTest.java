package dev.kindling.comm.nccl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.World;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Axis;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class NcclOpeningTest {
  private static final int RANKS = 3;

  private final List<FakeNccl> libraries = new ArrayList<>();
  private Map<String, String> environment = Map.of();
  private Optional<String> lost = Optional.empty();
  private Duration patience = Duration.ofMinutes(1);

  NcclOpeningTest() {
    for (int rank = 0; rank < RANKS; rank++) {
      libraries.add(new FakeNccl());
    }
  }

  private int maxBlocks;

  private static Nccl loaded(@Nullable FakeNccl library) {
    if (library == null) {
      throw new DeviceException("nccl: no library here");
    }
    return library;
  }

  private NcclCommunicator open(Communicator host) {
    return NcclCommunicator.open(
        NcclOptions.of(Axis.DATA)
            .withTimeouts(patience, Duration.ofMinutes(1), Duration.ofMinutes(1))
            .withMaxBlocks(maxBlocks),
        host,
        () -> {},
        () -> lost,
        new NcclCommunicator.Environment(() -> loaded(libraries.get(host.rank())), environment));
  }

  /** Opens and closes on every rank; how each ended. */
  private List<Throwable> open() {
    List<Throwable> failures = new ArrayList<>();
    for (World.Ending ending :
        World.LOOPBACK.run(
            RANKS,
            Duration.ofMinutes(1),
            host -> {
              try (NcclCommunicator communicator = open(host)) {
                communicator.check();
              }
            })) {
      failures.add(ending.failure());
    }
    return failures;
  }

  @Test
  void allConnectWithTheIdThatRankZeroMade() {
    assertThat(open()).containsOnlyNulls();
    for (int rank = 0; rank < RANKS; rank++) {
      assertThat(libraries.get(rank).log)
          .contains("connect " + rank + " of 3 at 7 " + (byte) (127 * 7));
      assertThat(libraries.get(rank).log.contains("uniqueId")).isEqualTo(rank == 0);
    }
  }

  @Test
  void theLibraryIsToldHowManyBlocksItMayHold() {
    maxBlocks = 4;
    assertThat(open()).containsOnlyNulls();
    assertThat(libraries.get(1).log).anyMatch(line -> line.endsWith(", at most 4 blocks"));
  }

  @Test
  void anOldLibraryOnOneRankEndsAllOfThem() {
    libraries.get(1).version = 21803;
    List<Throwable> failures = open();
    assertThat(failures.get(1))
        .isInstanceOf(DeviceException.class)
        .hasMessageContainingAll("rank 1 of 3", "expected version 2.19.0 or newer", "found 2.18.3");
    for (int rank : List.of(0, 2)) {
      assertThat(failures.get(rank))
          .isInstanceOf(CollectiveException.class)
          .hasMessageContainingAll("rank 1 cannot take part", "2.18.3");
    }
    assertThat(libraries.get(0).log).noneMatch(line -> line.startsWith("connect"));
  }

  @Test
  void differentVersionsAreRefused() {
    libraries.get(2).version = 22705;
    assertThat(open())
        .allSatisfy(
            failure ->
                assertThat(failure)
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContaining("[2.28.3, 2.28.3, 2.27.5]"));
  }

  @Test
  void anAddressInTheEnvironmentIsRefused() {
    environment = Map.of("NCCL_COMM_ID", "10.0.0.1:5000");
    assertThat(open())
        .allSatisfy(
            failure ->
                assertThat(failure)
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContainingAll("NCCL_COMM_ID", "10.0.0.1:5000"));
  }

  @Test
  void aRankWithoutTheLibraryEndsAllOfThem() {
    libraries.set(2, null);
    List<Throwable> failures = open();
    assertThat(failures.get(2))
        .isInstanceOf(DeviceException.class)
        .hasMessage("nccl: no library here");
    assertThat(failures.get(0))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContainingAll("rank 0 of 3", "rank 2 cannot take part", "no library here");
  }

  @Test
  void aConnectionThatDoesNotComeIsAborted() throws InterruptedException {
    libraries.get(1).state = Nccl.IN_PROGRESS;
    patience = Duration.ofMillis(300);
    List<Throwable> failures = open();
    assertThat(failures.get(1))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContaining("not connected after 300 ms");
    assertThat(libraries.get(1).aborted.await(1, java.util.concurrent.TimeUnit.MINUTES)).isTrue();
  }

  @Test
  void aPeerThatGoesWhileTheOthersConnectEndsThem() {
    libraries.forEach(library -> library.state = Nccl.IN_PROGRESS);
    lost = Optional.of("lost the connection to ranks [7]");
    assertThat(open())
        .allSatisfy(
            failure ->
                assertThat(failure)
                    .isInstanceOf(CollectiveException.class)
                    .hasMessageContaining("cannot connect: lost the connection to ranks [7]"));
  }

  @Test
  void aConnectionThatFailsSaysWhatTheLibrarySays() {
    libraries.get(0).state = FakeNccl.REMOTE_ERROR;
    assertThat(open().get(0))
        .isInstanceOf(CollectiveException.class)
        .hasMessageContainingAll("cannot connect", "text of 6", "socket closed");
  }

  @Test
  void versionsHaveNames() {
    assertThat(NcclOpening.name(22803)).isEqualTo("2.28.3");
    assertThat(NcclOpening.name(21900)).isEqualTo("2.19.0");
    assertThat(NcclOpening.name(2708)).isEqualTo("2.7.8");
  }
}
