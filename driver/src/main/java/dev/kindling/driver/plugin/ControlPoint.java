package dev.kindling.driver.plugin;

import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.StopRequest;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Where the driver receives what ranks say. Static because Spark creates the plugin by name;
 * several runs may share one Spark context, each under its own key.
 */
public final class ControlPoint {
  /** One launch of all ranks, as the driver sees it. Called one message at a time. */
  public interface Run {
    void started(RankStarted message);

    /**
     * @param first number of the first of these events among all of the rank in this run; what was
     *     told before is told again if its answer was lost
     */
    void events(int rank, long first, List<WorkerEvent> events);

    void ended(RankEnded message);

    /** Answered to every message. */
    StopRequest wish();
  }

  private static final Map<String, Run> RUNS = new ConcurrentHashMap<>();

  private ControlPoint() {}

  public static void open(String key, Run run) {
    RUNS.put(key, run);
  }

  public static void close(String key) {
    RUNS.remove(key);
  }

  /** The run with this key, null if it is over: its zombies are told to stop. */
  static @Nullable Run find(String key) {
    return RUNS.get(key);
  }
}
