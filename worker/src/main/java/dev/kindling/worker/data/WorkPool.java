package dev.kindling.worker.data;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs independent pieces of preparation and returns their results in the order of the inputs. The
 * Spark adapter spreads them over executors; {@link #sequential} runs them here. A piece depends on
 * its input alone, so what comes out does not depend on the pool.
 */
public interface WorkPool {
  /** A pure function that may travel to another JVM. */
  interface Task<I extends Serializable, O extends Serializable> extends Serializable {
    O run(I input);
  }

  /** Results in input order; the first failure as thrown by the task. */
  <I extends Serializable, O extends Serializable> List<O> map(
      String phase, List<I> inputs, Task<I, O> task);

  /** One after another on the calling thread, reporting after each. */
  static WorkPool sequential(Progress progress) {
    return new WorkPool() {
      @Override
      public <I extends Serializable, O extends Serializable> List<O> map(
          String phase, List<I> inputs, Task<I, O> task) {
        List<O> results = new ArrayList<>(inputs.size());
        for (I input : inputs) {
          results.add(task.run(input));
          progress.report(phase, results.size(), inputs.size());
        }
        return results;
      }
    };
  }

  /** Told how far a phase is; called from one thread at a time. */
  interface Progress {
    void report(String phase, long done, long total);

    /** Says nothing. */
    static Progress silent() {
      return (phase, done, total) -> {};
    }
  }
}
