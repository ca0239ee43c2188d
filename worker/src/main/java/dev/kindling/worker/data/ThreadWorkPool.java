package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Pieces on threads of this process, where there is no Spark. Of several failures the first in
 * input order is thrown, as one after another would.
 *
 * @param threads pieces at a time, at least 1
 * @param progress told in input order, from the thread that called {@link #map}
 */
public record ThreadWorkPool(int threads, WorkPool.Progress progress) implements WorkPool {

  public ThreadWorkPool {
    new Expectation().atLeast("threads", threads, 1).orThrow();
  }

  /** As many threads as this process may use cores. */
  public static ThreadWorkPool ofCores(WorkPool.Progress progress) {
    return new ThreadWorkPool(Runtime.getRuntime().availableProcessors(), progress);
  }

  @Override
  public <I extends Serializable, O extends Serializable> List<O> map(
      String phase, List<I> inputs, Task<I, O> task) {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<O>> pieces = new ArrayList<>(inputs.size());
      for (I input : inputs) {
        pieces.add(pool.submit(() -> task.run(input)));
      }
      List<O> results = new ArrayList<>(inputs.size());
      for (Future<O> piece : pieces) {
        results.add(piece.get());
        progress.report(phase, results.size(), inputs.size());
      }
      return results;
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof RuntimeException own) {
        throw own;
      }
      if (failed.getCause() instanceof Error own) {
        throw own;
      }
      throw new IllegalStateException(failed);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new DataException("data: " + phase + ": interrupted", stopped);
    } finally {
      end(pool);
    }
  }

  /** A piece that goes on would write into a folder that the caller deletes. */
  private static void end(ExecutorService pool) {
    pool.shutdownNow();
    try {
      while (!pool.awaitTermination(1, TimeUnit.MINUTES)) {
        pool.shutdownNow();
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }
}
