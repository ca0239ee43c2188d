package dev.kindling.driver.data;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.WorkPool;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.IntStream;
import org.apache.spark.SparkEnv;
import org.apache.spark.SparkJobInfo;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.api.java.JavaFutureAction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.apache.spark.serializer.SerializerInstance;
import org.jspecify.annotations.Nullable;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * Runs each piece of preparation as one Spark task. Files named by the inputs and the folder of the
 * prepared set must be visible under the same path on all executors.
 *
 * <p>Inputs travel in the closure and results as bytes of the closure serializer, so a cluster that
 * sets {@code spark.serializer} to Kryo (which cannot make records) does no harm.
 */
public final class SparkWorkPool implements WorkPool {
  private static final ClassTag<Object> ANY = ClassTag$.MODULE$.apply(Object.class);
  private static final long POLL_MILLIS = 500;

  private final JavaSparkContext spark;
  private final Progress progress;

  public SparkWorkPool(JavaSparkContext spark, Progress progress) {
    this.spark = spark;
    this.progress = progress;
  }

  /** What a task gives back: a result, or what was wrong with the data (not worth a retry). */
  private record Outcome(@Nullable Serializable result, @Nullable String dataFault)
      implements Serializable {}

  private record Call<I extends Serializable, O extends Serializable>(
      ArrayList<I> inputs, Task<I, O> task) implements Function<Integer, byte[]> {
    @Override
    public byte[] call(Integer index) {
      Outcome outcome;
      try {
        outcome = new Outcome(task.run(inputs.get(index)), null);
      } catch (DataException e) {
        outcome = new Outcome(null, e.getMessage());
      }
      ByteBuffer bytes = serializer().serialize(outcome, ANY);
      byte[] copy = new byte[bytes.remaining()];
      bytes.get(copy);
      return copy;
    }
  }

  private static SerializerInstance serializer() {
    return SparkEnv.get().closureSerializer().newInstance();
  }

  @Override
  public <I extends Serializable, O extends Serializable> List<O> map(
      String phase, List<I> inputs, Task<I, O> task) {
    if (inputs.isEmpty()) {
      return List.of();
    }
    List<Integer> indices = IntStream.range(0, inputs.size()).boxed().toList();
    JavaFutureAction<List<byte[]>> job =
        spark
            .parallelize(indices, inputs.size())
            .map(new Call<>(new ArrayList<>(inputs), task))
            .collectAsync();
    List<O> results = new ArrayList<>(inputs.size());
    for (byte[] bytes : await(phase, inputs.size(), job)) {
      Outcome outcome = (Outcome) serializer().deserialize(ByteBuffer.wrap(bytes), ANY);
      if (outcome.dataFault != null) {
        throw new DataException(outcome.dataFault);
      }
      @SuppressWarnings("unchecked")
      O result = (O) outcome.result;
      results.add(result);
    }
    return results;
  }

  private List<byte[]> await(String phase, int total, JavaFutureAction<List<byte[]>> job) {
    int shown = -1;
    while (true) {
      try {
        List<byte[]> results = job.get(POLL_MILLIS, TimeUnit.MILLISECONDS);
        progress.report(phase, total, total);
        return results;
      } catch (TimeoutException e) {
        int done = completed(job);
        if (done != shown) {
          shown = done;
          progress.report(phase, done, total);
        }
      } catch (InterruptedException e) {
        job.cancel(true);
        Thread.currentThread().interrupt();
        throw new IllegalStateException(phase + ": interrupted", e);
      } catch (ExecutionException e) {
        throw new IllegalStateException(phase + ": the Spark job failed: " + e.getCause(), e);
      }
    }
  }

  private int completed(JavaFutureAction<?> job) {
    int done = 0;
    for (int id : job.jobIds()) {
      SparkJobInfo info = spark.statusTracker().getJobInfo(id);
      for (int stage : info == null ? new int[0] : info.stageIds()) {
        SparkStageInfo found = spark.statusTracker().getStageInfo(stage);
        done += found == null ? 0 : found.numCompletedTasks();
      }
    }
    return done;
  }
}
