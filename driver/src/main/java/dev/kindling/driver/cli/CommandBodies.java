package dev.kindling.driver.cli;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.generate.Sampling;
import dev.kindling.worker.plan.TrainPlan;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;

/** What the commands do once their words are understood. Each returns an exit code. */
public interface CommandBodies {
  /** Trains or resumes until done, stopped or out of retries. */
  int train(RunRequest request, PrintWriter out) throws Exception;

  /** Runs all variations of an experiment file. */
  int experiment(Path file, PrintWriter out) throws Exception;

  /** Builds the pinned corpus below {@code folder}. */
  int dataCorpus(Path folder, PrintWriter out) throws Exception;

  /** Tokenises and packs what the plan names. */
  int dataPrepare(TrainPlan plan, PrintWriter out) throws Exception;

  /** Shows what a prepared set holds. */
  int dataInspect(String path, PrintWriter out) throws Exception;

  /**
   * Samples text from a model directory or run folder, shown as it comes.
   *
   * @param err hears where the model runs
   */
  int generate(GenerateRequest request, PrintWriter out, PrintWriter err) throws Exception;

  /**
   * Measures a model on texts or questions.
   *
   * @param err hears progress and what is skipped
   */
  int eval(EvalRequest request, PrintWriter out, PrintWriter err) throws Exception;

  /** Writes a Hugging Face model directory. */
  int export(ExportRequest request, PrintWriter out) throws Exception;

  /** Compares two run folders. */
  int diffRuns(String left, String right, PrintWriter out) throws Exception;

  /**
   * Words of {@code generate}.
   *
   * @param tokens number of tokens to add, at least 1
   */
  record GenerateRequest(ModelSource model, String prompt, int tokens, Sampling sampling) {
    public GenerateRequest {
      if (tokens < 1) {
        throw new PlanException("--tokens: expected 1 or more, found " + tokens);
      }
    }
  }

  /**
   * Words of {@code export}.
   *
   * @param source run folder or Hugging Face model directory
   * @param dtype of the weights written; empty for that of the source, fp32 if there is none
   * @param recover model directory from which heads and channels of the run's model were taken
   */
  record ExportRequest(
      String source,
      String target,
      Optional<SafetensorsType> dtype,
      boolean merge,
      Optional<String> recover) {}
}
