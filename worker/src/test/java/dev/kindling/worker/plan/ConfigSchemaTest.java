package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.kindling.configs.yaml.RecordSchema;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.schema.CoreSchema;

/** {@code -Dschema.write=true} writes the file that the first test compares. */
class ConfigSchemaTest {
  private static final Path RECIPES = Path.of("..", "cluster-configs");
  private static final Path FILE = RECIPES.resolve("kindling.schema.json");

  private static final String SMALL =
      """
      model: {type: llama, width: 32, layers: 2, heads: 2, context: 64}
      data: {type: text, paths: [a]}
      optimizer: {type: adamw, lr: 3e-3}
      steps: 20
      sequence_length: 64
      micro_batch: 256
      global_batch: 2048
      """;

  private static String generated() {
    return RecordSchema.of(TrainPlan.class, "Kindling configuration", RecordDocs::of);
  }

  static List<Path> recipes() throws IOException {
    try (Stream<Path> files = Files.list(RECIPES)) {
      return files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList();
    }
  }

  /** What an editor would underline. */
  private static List<String> complaints(String yaml) {
    Schema schema =
        SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_7)
            .getSchema(generated(), InputFormat.JSON);
    Object tree =
        new Load(LoadSettings.builder().setSchema(new CoreSchema()).build()).loadFromString(yaml);
    String json = new tools.jackson.databind.ObjectMapper().writeValueAsString(tree);
    return schema.validate(json, InputFormat.JSON).stream().map(Object::toString).toList();
  }

  @Test
  void theFileBesideTheRecipesIsCurrent() throws IOException {
    if (Boolean.getBoolean("schema.write")) {
      Files.writeString(FILE, generated(), StandardCharsets.UTF_8);
    }
    assertThat(FILE)
        .as("write it with: mvn test -pl worker -am -Dtest=ConfigSchemaTest -Dschema.write=true")
        .content(StandardCharsets.UTF_8)
        .isEqualTo(generated());
  }

  @ParameterizedTest
  @MethodSource("recipes")
  void everyRecipeNamesTheSchemaAndFollowsIt(Path recipe) throws IOException {
    String yaml = Files.readString(recipe, StandardCharsets.UTF_8);
    assertThat(yaml).startsWith("# yaml-language-server: $schema=kindling.schema.json\n");
    assertThat(complaints(yaml)).isEmpty();
  }

  @Test
  void aResolvedConfigurationFollowsTheSchema() throws IOException {
    for (Path recipe : recipes()) {
      String yaml = Files.readString(recipe, StandardCharsets.UTF_8);
      assertThat(complaints(PlanReader.toYaml(PlanReader.fromYaml(yaml))))
          .as("%s", recipe)
          .isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "schedule: {min_ratio: 0.2}",
        "checkpoint:",
        "memory: {limit: 40GiB}",
        "memory: {limit: null}",
        "spark: {startup_timeout: 30s, conf: {spark.a: {b: 1, c: true}}}",
        "seed: 1_000",
        "mesh: {zero: 2}",
        "determinism: exact",
        "matmul: java"
      })
  void whatTheBinderTakesIsAccepted(String line) {
    assertThat(PlanReader.fromYaml(SMALL + line).steps()).isEqualTo(20);
    assertThat(complaints(SMALL + line)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "step: 3", "schedule: {type: cosin}", "schedule: {min_rato: 0.2}", "seed: one",
        "determinism: fast", "memory: {limit: 40GB}", "spark: {startup_timeout: 30}", "ranks: 1.5",
        "validation: 7", "mesh: {zero: {}}"
      })
  void whatTheBinderRefusesByNameOrTypeIsUnderlined(String line) {
    assertThat(complaints(SMALL + line)).isNotEmpty();
  }

  @Test
  void aMissingKeyIsUnderlined() {
    assertThat(complaints(SMALL.replaceFirst("steps: 20\n", ""))).isNotEmpty();
    assertThat(complaints(SMALL.replaceFirst("type: llama, ", ""))).isNotEmpty();
  }
}
