package dev.kindling.driver.cli;

import dev.kindling.worker.plan.TrainPlan;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Writes down what it is asked to do. */
final class RecordingBodies implements CommandBodies {
  final List<RunRequest> runs = new ArrayList<>();
  final List<EvalRequest> evaluations = new ArrayList<>();
  @Nullable RuntimeException failure;

  private int done() {
    if (failure != null) {
      throw failure;
    }
    return 0;
  }

  @Override
  public int train(RunRequest request, PrintWriter out) {
    runs.add(request);
    return done();
  }

  @Override
  public int experiment(Path file, PrintWriter out) {
    return done();
  }

  @Override
  public int dataCorpus(Path folder, PrintWriter out) {
    return done();
  }

  @Override
  public int dataPrepare(TrainPlan plan, PrintWriter out) {
    return done();
  }

  @Override
  public int dataInspect(String path, PrintWriter out) {
    return done();
  }

  @Override
  public int diffRuns(String left, String right, PrintWriter out) {
    return done();
  }

  @Override
  public int generate(GenerateRequest request, PrintWriter out, PrintWriter err) {
    return done();
  }

  @Override
  public int eval(EvalRequest request, PrintWriter out, PrintWriter err) {
    evaluations.add(request);
    return done();
  }

  @Override
  public int export(ExportRequest request, PrintWriter out) {
    return done();
  }
}
