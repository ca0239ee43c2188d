package dev.kindling.driver.launch;

import dev.kindling.driver.doctor.CudaBindings;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * A driver with embedded executors on a machine that seems to have GPUs: an ordinary stage, then
 * ranks that say which GPU they got. Arguments: ranks, class path for the executors.
 */
public final class GpuProbe {
  private GpuProbe() {}

  /** Says its GPU and how its JVM was started. */
  static final class Saying implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      int rank = context.rendezvous().rank();
      String text =
          "gpu %d, noPointerGC %s, bindings %s"
              .formatted(
                  context.gpuOrdinal(),
                  System.getProperty("org.bytedeco.javacpp.noPointerGC"),
                  CudaBindings.jars(GpuProbe.class.getClassLoader()).size());
      context.events().emit(new LogLine(rank, LogLine.Level.INFO, text));
      context.rendezvous().allGather("here");
      return new WorkerResult(rank, context.gpuOrdinal(), false, "");
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    int ranks = Integer.parseInt(arguments[0]);
    SparkSpec spec =
        new SparkSpec(
            Optional.empty(),
            Duration.ofSeconds(60),
            Map.of("spark.executor.memory", "512m", "spark.executor.extraClassPath", arguments[1]));
    int code = 0;
    try (BarrierLauncher launcher =
        new BarrierLauncher(start(spec, ranks, out), new Saying(), out::println)) {
      launcher.run(
          new WorkerAssignment("seed: 1", "/run", "/data", 1, 1, "", new byte[32]),
          ranks,
          event -> {
            if (event instanceof LogLine line) {
              out.println("rank " + line.rank() + " " + line.text());
            }
          },
          StopSignal.NEVER);
    } catch (AttemptFailedException e) {
      out.println("failed " + e.kind() + " " + e.getMessage());
      code = e.kind().exitCode();
    }
    System.exit(code);
  }

  private static SparkApplication start(SparkSpec spec, int ranks, PrintWriter out) {
    SparkApplication spark = SparkApplication.startForRanks(spec, new Workers(ranks, Device.CUDA));
    JavaSparkContext context = spark.context();
    out.println("ordinary stage " + context.parallelize(java.util.List.of(1, 2, 3, 4), 4).count());
    context.parallelize(java.util.List.of(1, 2, 3, 4), 4).map(GpuProbe::place).collect().stream()
        .map("model of a task: "::concat)
        .forEach(out::println);
    return spark;
  }

  /** Where a task that claims no GPU puts a model. */
  private static String place(int ignored) {
    ModelPlace place = ModelPlace.ofTask(DeviceChoice.AUTO, TaskContext.get(), 1);
    return place.device() + " " + place.gpu();
  }
}
