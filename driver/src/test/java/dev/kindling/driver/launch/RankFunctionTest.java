package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.driver.plugin.ControlPoint;
import dev.kindling.kernels.backend.BusyDeviceException;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.plan.SparkSpec;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import scala.reflect.ClassTag$;

/** Ranks of a world that several Spark jobs form together. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RankFunctionTest {
  private static final String RUN = "two jobs, one world";
  private static final Duration MEETING = Duration.ofMinutes(1);
  private static final long JOB_SECONDS = 120;

  @TempDir private Path folder;
  private final List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
  private SparkApplication application;

  @BeforeAll
  void startSpark() {
    SparkSpec spec =
        new SparkSpec(
            Optional.of("local[4]"),
            Duration.ofSeconds(60),
            Map.of("spark.ui.enabled", "false", "spark.driver.host", "127.0.0.1"));
    application = SparkApplication.start(spec, 4);
  }

  @AfterAll
  void stopSpark() {
    application.close();
  }

  /** One Spark job of {@code partitions} ranks from {@code firstRank} on. */
  private JavaFutureAction<List<WorkerResult>> submit(
      int firstRank, int partitions, int worldSize, RankBody body) {
    WorkerAssignment assignment =
        new WorkerAssignment("seed: 1", folder.toString(), "/data", 1, 1, "", new byte[32]);
    JavaSparkContext spark = application.context();
    RDD<Integer> seed = spark.parallelize(Collections.nCopies(partitions, 0), partitions).rdd();
    RankFunction function =
        new RankFunction(RUN, firstRank, worldSize, assignment, body, new Noted());
    RDD<WorkerResult> tasks =
        seed.barrier().mapPartitions(function, false, ClassTag$.MODULE$.apply(WorkerResult.class));
    return tasks.toJavaRDD().collectAsync();
  }

  /** Notes what would have been ended, and what the driver knew by then. */
  static final class Noted implements ProcessEnd {
    private static final long serialVersionUID = 1L;
    static final List<String> ENDS = Collections.synchronizedList(new ArrayList<>());
    static volatile RankLedger ledger = new RankLedger(e -> {}, StopSignal.NEVER, () -> {});

    @Override
    public void end(int exitCode) {
      ENDS.add(exitCode + " " + ledger.failure(new Exception("Spark says nothing")).getMessage());
    }
  }

  private static List<WorkerResult> await(JavaFutureAction<List<WorkerResult>> job)
      throws Exception {
    return job.get(JOB_SECONDS, TimeUnit.SECONDS);
  }

  /** Meets the whole world in a folder and says what it saw. */
  static final class Meeting implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      int rank = context.rendezvous().rank();
      int worldSize = context.rendezvous().worldSize();
      Path place = Path.of(assignment.runDir());
      String all =
          String.join(
              " ",
              new FileRendezvous(place, rank, worldSize, MEETING)
                  .allGather(rank + "@" + assignment.bindAddress()));
      context.events().emit(new LogLine(rank, LogLine.Level.INFO, all));
      return new WorkerResult(rank, context.ranksOnThisHost(), false, "");
    }
  }

  @Test
  void twoJobsFormOneWorldOfConsecutiveRanks() throws Exception {
    RankLedger ledger = new RankLedger(events::add, StopSignal.NEVER, () -> {});
    ControlPoint.open(RUN, ledger);
    try {
      var first = submit(0, 1, 3, new Meeting());
      var second = submit(1, 2, 3, new Meeting());
      assertThat(await(first)).extracting(WorkerResult::rank).containsExactly(0);
      assertThat(await(second)).extracting(WorkerResult::rank).containsExactly(1, 2);
    } finally {
      ControlPoint.close(RUN);
    }
    String host = application.conf().get("spark.driver.host");
    String world = "0@%s 1@%s 2@%s".formatted(host, host, host);
    assertThat(events)
        .filteredOn(LogLine.class::isInstance)
        .containsExactlyInAnyOrder(
            new LogLine(0, LogLine.Level.INFO, world),
            new LogLine(1, LogLine.Level.INFO, world),
            new LogLine(2, LogLine.Level.INFO, world));
  }

  /** Uses the rendezvous that it was given. */
  static final class BarrierMeeting implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      context.rendezvous().allGather("here");
      return new WorkerResult(context.rendezvous().rank(), 0, false, "");
    }
  }

  @Test
  void aBarrierThatReachesOnlyItsOwnJobIsNoRendezvousOfTheWorld() throws Exception {
    ControlPoint.open(RUN, new RankLedger(events::add, StopSignal.NEVER, () -> {}));
    try {
      var job = submit(1, 2, 3, new BarrierMeeting());
      assertThat(catchThrowable(() -> await(job)))
          .hasStackTraceContaining("reaches ranks 1..2, expected all 3 of the world");
    } finally {
      ControlPoint.close(RUN);
    }
  }

  /** Fails as a rank does whose peer is gone; rank 0 leaves its GPU busy. */
  static final class Lonely implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      CollectiveException failure = new CollectiveException("a peer is gone");
      if (context.rendezvous().rank() == 0) {
        failure.addSuppressed(new BusyDeviceException("GPU 0 is busy"));
      }
      throw failure;
    }
  }

  @Test
  void aProcessWhoseGpuStaysBusyEndsOnceTheDriverKnowsWhy() throws Exception {
    RankLedger ledger = new RankLedger(events::add, StopSignal.NEVER, () -> {});
    Noted.ledger = ledger;
    Noted.ENDS.clear();
    ControlPoint.open(RUN, ledger);
    try {
      var first = submit(0, 1, 2, new Lonely());
      assertThat(catchThrowable(() -> await(first))).hasStackTraceContaining("a peer is gone");
      var second = submit(1, 1, 2, new Lonely());
      assertThat(catchThrowable(() -> await(second))).hasStackTraceContaining("a peer is gone");
    } finally {
      ControlPoint.close(RUN);
    }
    assertThat(Noted.ENDS).hasSize(1);
    assertThat(Noted.ENDS.get(0)).startsWith("5 ").contains("a peer is gone");
  }

  @Test
  void ranksOfAHostTakeDifferentGpusInWhateverOrderTheyWerePlaced() {
    List<String> hosts = List.of("a", "b", "a", "b", "b", "a");
    List<Integer> places =
        IntStream.range(0, hosts.size()).map(i -> RankFunction.place(hosts, i)).boxed().toList();
    assertThat(places).containsExactly(0, 0, 1, 1, 2, 2);
  }

  /** Says which GPU it would open. */
  static final class Ordinal implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      return new WorkerResult(context.rendezvous().rank(), context.gpuOrdinal(), false, "");
    }
  }

  @Test
  void aTaskWithoutAnAddressCountsTheOthersOfItsHostAndNotItsRank() throws Exception {
    ControlPoint.open(RUN, new RankLedger(events::add, StopSignal.NEVER, () -> {}));
    try {
      // Ranks 1 and 2 on one host: the rank modulo 2 would swap them, and collide beside a third.
      assertThat(await(submit(1, 2, 3, new Ordinal())))
          .extracting(WorkerResult::lastStep)
          .containsExactly(0L, 1L);
    } finally {
      ControlPoint.close(RUN);
    }
  }

  @Test
  void aFirstRankOutsideTheWorldIsRefused() {
    assertThatThrownBy(() -> submit(3, 1, 3, new Meeting()))
        .hasMessage("first rank: expected 0..2, found 3");
  }
}
