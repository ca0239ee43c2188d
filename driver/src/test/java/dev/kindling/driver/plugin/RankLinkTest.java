package dev.kindling.driver.plugin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.codahale.metrics.MetricRegistry;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.StopRequest;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.IntPredicate;
import org.apache.spark.SparkConf;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.resource.ResourceInformation;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RankLinkTest {
  private static final String RUN = "link";
  private static final int EVENTS = 2000;

  /** The driver as a list of what it was told. */
  private static final class Told implements ControlPoint.Run {
    private final List<Long> numbers = new ArrayList<>();
    private final List<WorkerEvent> events = new ArrayList<>();
    private int ended;

    @Override
    public void started(RankStarted message) {}

    @Override
    public synchronized void events(int rank, long first, List<WorkerEvent> more) {
      for (int i = 0; i < more.size(); i++) {
        numbers.add(first + i);
        events.add(more.get(i));
      }
    }

    @Override
    public synchronized void ended(RankEnded message) {
      ended++;
    }

    @Override
    public StopRequest wish() {
      return StopRequest.NONE;
    }
  }

  /** Loses the question or the answer of each call for which the predicates say so. */
  private record Lossy(DriverPlugin driver, IntPredicate question, IntPredicate answer, int[] calls)
      implements PluginContext {
    @Override
    public Object ask(Object message) throws Exception {
      int call = calls[0]++;
      if (question.test(call)) {
        throw new IOException("question lost");
      }
      if (Thread.interrupted()) {
        throw new InterruptedException("while it waited for the answer");
      }
      Object reply = driver.receive(message);
      if (answer.test(call)) {
        throw new IOException("answer lost");
      }
      return reply;
    }

    @Override
    public void send(Object message) {
      throw new UnsupportedOperationException("a link only asks");
    }

    @Override
    public MetricRegistry metricRegistry() {
      return new MetricRegistry();
    }

    @Override
    public SparkConf conf() {
      return new SparkConf(false);
    }

    @Override
    public String executorID() {
      return "0";
    }

    @Override
    public String hostname() {
      return "127.0.0.1";
    }

    @Override
    public Map<String, ResourceInformation> resources() {
      return Map.of();
    }
  }

  private final Told told = new Told();

  @BeforeEach
  void open() {
    ControlPoint.open(RUN, told);
  }

  @AfterEach
  void close() {
    ControlPoint.close(RUN);
  }

  private static RankLink link(IntPredicate question, IntPredicate answer) {
    DriverPlugin driver = new KindlingPlugin().driverPlugin();
    return new RankLink(new Lossy(driver, question, answer, new int[1]), RUN, 1);
  }

  private static LogLine line(long number) {
    return new LogLine(1, LogLine.Level.INFO, "line " + number);
  }

  @Test
  void everyEventArrivesUnderItsNumberHoweverManyCallsAreLost() throws Exception {
    Random random = new Random(11);
    boolean[] lost = new boolean[1000];
    for (int call = 0; call < lost.length; call++) {
      // Never more in a row than the last words are tried.
      lost[call] = call % 3 != 0 && random.nextBoolean();
    }
    RankLink link = link(call -> lost[call] && call % 3 == 1, call -> lost[call] && call % 3 == 2);
    link.start();
    for (int i = 0; i < EVENTS; i++) {
      link.emit(line(i));
      if (i % 500 == 0) {
        Thread.sleep(250);
      }
    }
    link.end("", "", "");
    assertThat(told.ended).isPositive();
    long next = 0;
    for (int i = 0; i < told.numbers.size(); i++) {
      long number = told.numbers.get(i);
      assertThat(told.events.get(i)).isEqualTo(line(number));
      assertThat(number).as("no gap").isLessThanOrEqualTo(next);
      next = Math.max(next, number + 1);
    }
    assertThat(next).isEqualTo(EVENTS);
  }

  /** As Spark does to the tasks of a stage that it gives up; at each call of the last words. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2})
  void theLastWordsOfARankThatIsInterruptedArrive(int at) throws Exception {
    DriverPlugin driver = new KindlingPlugin().driverPlugin();
    int[] calls = new int[1];
    RankLink link =
        new RankLink(
            new Lossy(
                driver,
                call -> {
                  if (call == at) {
                    Thread.currentThread().interrupt();
                  }
                  return false;
                },
                call -> false,
                calls),
            RUN,
            1);
    link.emit(line(0));
    link.log().put(0, "logged");
    link.end("COMMUNICATION", "lost the connection", "");
    assertThat(Thread.interrupted()).isTrue();
    assertThat(told.ended).isEqualTo(1);
    assertThat(told.events).hasSize(2);
  }

  @Test
  void aFloodOfTheLogIsCarriedBesideTheEventsAndEveryLineIsCounted() throws Exception {
    // Deaf for the first while, as a driver that collects garbage.
    RankLink link = link(call -> call < 3, call -> false);
    link.start();
    for (int i = 0; i < 50_000; i++) {
      link.log().put(i, "line " + i + " of a flood that no driver can take");
      if (i % 5_000 == 0) {
        link.emit(line(i / 5_000));
        Thread.sleep(100);
      }
    }
    link.end("", "", "");
    assertThat(told.events.stream().filter(LogLine.class::isInstance).distinct()).hasSize(10);
    List<LoggedLines> chunks =
        told.events.stream()
            .filter(LoggedLines.class::isInstance)
            .map(LoggedLines.class::cast)
            .toList();
    long next = 0;
    for (LoggedLines chunk : chunks) {
      assertThat(chunk.first()).isGreaterThanOrEqualTo(next);
      assertThat(chunk.lines().get(0).text()).startsWith("line " + chunk.first() + " ");
      assertThat(chunk.text().length()).as("beside events").isLessThan(128 * 1024);
      next = chunk.first() + chunk.lines().size();
    }
    assertThat(next).isEqualTo(50_000);
  }

  @Test
  void aDriverThatNeverAnswersIsAnErrorAtTheEnd() {
    RankLink link = link(call -> true, call -> false);
    link.emit(line(0));
    assertThatThrownBy(() -> link.end("", "", "")).isInstanceOf(IOException.class);
  }
}
