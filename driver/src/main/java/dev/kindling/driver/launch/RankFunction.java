package dev.kindling.driver.launch;

import dev.kindling.driver.plugin.RankLink;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.PrintWriter;
import java.io.Serializable;
import java.io.StringWriter;
import java.util.List;
import org.apache.spark.BarrierTaskContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** The task of one rank: partition id = Spark's rank, one iterator element = its result. */
final class RankFunction extends AbstractFunction1<Iterator<Integer>, Iterator<WorkerResult>>
    implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = LoggerFactory.getLogger(RankFunction.class);

  private final String run;
  private final int ranks;
  private final WorkerAssignment assignment;
  private final RankBody body;

  RankFunction(String run, int ranks, WorkerAssignment assignment, RankBody body) {
    this.run = run;
    this.ranks = ranks;
    this.assignment = assignment;
    this.body = body;
  }

  @Override
  public Iterator<WorkerResult> apply(Iterator<Integer> ignored) {
    BarrierTaskContext context = BarrierTaskContext.get();
    Throwable failure = null;
    try (RankLink link = RankLink.open(run, context.partitionId())) {
      WorkerResult result = null;
      try {
        result = body.run(assignment, new BarrierRendezvous(context, ranks), link, link);
      } catch (Throwable e) {
        failure = e;
      }
      end(link, failure);
      if (result != null) {
        return CollectionConverters.asScala(List.of(result).iterator());
      }
    } catch (Exception e) {
      failure = failure == null ? e : failure;
    }
    throw new IllegalStateException("rank " + context.partitionId() + " failed", failure);
  }

  /** A killed task is interrupted; its last words must reach the driver all the same. */
  private static void end(RankLink link, @Nullable Throwable failure) throws Exception {
    boolean interrupted = Thread.interrupted();
    try {
      if (failure == null) {
        link.end("", "", "");
      } else {
        LOG.error("the rank failed", failure);
        FailureKind kind = Failures.kindOf(failure);
        link.end(kind.name(), Failures.line(failure), trace(failure));
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static String trace(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text));
    return text.toString();
  }
}
