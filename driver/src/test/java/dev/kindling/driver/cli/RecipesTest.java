package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RecipesTest {
  private static final Path FOLDER = Path.of("..", "cluster-configs");

  static List<Path> recipes() throws IOException {
    try (Stream<Path> files = Files.list(FOLDER)) {
      return files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList();
    }
  }

  @Test
  void theNamedRecipesExist() throws IOException {
    assertThat(recipes())
        .extracting(f -> String.valueOf(f.getFileName()))
        .contains("quickstart.yaml", "tiny.yaml", "gpt2-small-cpu.yaml")
        .contains("gpt2-124m.yaml", "gpt2-124m-2gpu.yaml", "llama-130m.yaml")
        .contains("llama-350m.yaml", "llama-1b.yaml");
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyRecipeParsesExplainsAndReadsBack(Path recipe) {
    Bound<TrainPlan> bound = PlanReader.read(ConfigDocument.read(recipe), List.of());
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(bound.value()))).isEqualTo(bound.value());
    assertThat(new ExplainPage(bound).text()).contains("tokens per step").doesNotContain("null");
  }
}
