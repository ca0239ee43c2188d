package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.driver.cli.ExitCodes;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.evaluate.EncodedQuestion;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.RankFailure;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PinnedInputs;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.OutageException;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run whose questions cannot be reached now is worth another attempt: its data is not bad. */
class UnreachableQuestionsTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2, vocabulary: 256, context: 64}
      data: {type: text, paths: [a]}
      optimizer: {type: mezo, lr: 1e-6, objective: {type: accuracy, questions: "gone:%s"}}
      steps: 20
      sequence_length: 32
      micro_batch: 32
      global_batch: 32
      spark:
        conf:
          spark.hadoop.fs.gone.impl: %s
          spark.hadoop.kindling.storage.single-driver: "true"
      """;

  @Test
  void anOutageIsNoFaultOfTheData(@TempDir Path folder) throws IOException {
    Path file = Files.writeString(folder.resolve("q.jsonl"), "{}\n");
    String config = CONFIG.formatted(file, GoneFiles.class.getName());
    TrainPlan plan =
        PlanReader.read(ConfigDocument.parse(config, "run.yaml"), List.of()).value().absolute();
    assertThatThrownBy(() -> PinnedInputs.requireQuestions(plan))
        .isInstanceOf(OutageException.class)
        .hasMessageContaining("q.jsonl: cannot be reached: ")
        .hasMessageContaining("no answer")
        .satisfies(
            outage -> {
              assertThat(ExitCodes.of(outage)).isEqualTo(FailureKind.COMMUNICATION.exitCode());
              FailureKind kind = RankFailure.of(0, outage).kind();
              assertThat(kind).isEqualTo(FailureKind.COMMUNICATION);
              assertThat(kind.retryable()).isTrue();
            });
    InputFolder place = new InputFolder(StorageLocation.of("gone:" + folder), plan.spark().conf());
    try (Tokenizer tokenizer = Tokenizer.open(new Bytes())) {
      assertThatThrownBy(() -> EncodedQuestion.read(place, "q.jsonl", tokenizer, 32))
          .isInstanceOf(OutageException.class)
          .hasMessageContaining("q.jsonl: cannot be reached: ");
    }
  }
}
