package dev.kindling.driver.plugin;

import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.SerialFilter;
import dev.kindling.worker.loop.StopRequest;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/** Named in {@code spark.plugins}; Spark creates one per side. */
public final class KindlingPlugin implements SparkPlugin {
  /** Set where executors exist for nothing but our ranks; a program's own session has none. */
  public static final String ALONE = "spark.kindling.alone";

  @Override
  public DriverPlugin driverPlugin() {
    return new DriverSide();
  }

  @Override
  public ExecutorPlugin executorPlugin() {
    return new ExecutorSide();
  }

  /** Spark delivers messages to it one at a time, on a thread of its own. */
  private static final class DriverSide implements DriverPlugin {
    private final ControlCodec codec = new ControlCodec();
    private final EventCodec events = new EventCodec();

    @Override
    public Map<String, String> init(SparkContext context, PluginContext pluginContext) {
      return Map.of();
    }

    @Override
    public Object receive(Object message) {
      if (!(message instanceof byte[] bytes)) {
        throw new IllegalArgumentException("control message: expected bytes");
      }
      RankMessage said = codec.message(bytes);
      ControlPoint.Run run = ControlPoint.find(said.run());
      if (run == null) {
        return codec.encode(StopRequest.CHECKPOINT_AND_STOP);
      }
      if (said instanceof RankReport report) {
        List<WorkerEvent> decoded = Arrays.stream(report.events()).map(events::decode).toList();
        run.events(report.rank(), report.first(), decoded);
      } else if (said instanceof RankStarted started) {
        run.started(started);
      } else if (said instanceof RankEnded ended) {
        run.ended(ended);
      }
      return codec.encode(run.wish());
    }
  }

  private static final class ExecutorSide implements ExecutorPlugin {
    @Override
    public void init(PluginContext context, Map<String, String> extraConf) {
      // In local mode the executor is the driver's JVM, whose signals belong to the command line;
      // beside the jobs of a program, whose classes and signals belong to it.
      boolean alone = context.conf().getBoolean(ALONE, false);
      if (alone && !"driver".equals(context.executorID())) {
        SerialFilter.refuseAllButSpark();
        ExecutorSignals.install();
      }
      LogTap.install();
      ExecutorGpus.connect(context);
      RankLink.connect(context);
    }
  }
}
