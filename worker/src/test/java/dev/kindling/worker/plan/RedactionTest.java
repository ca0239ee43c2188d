package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.graph.PlanException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedactionTest {
  @ParameterizedTest
  @CsvSource({
    "spark.authenticate.secret, x",
    "spark.hadoop.fs.s3a.access.key, x",
    "spark.hadoop.fs.s3a.session.token, x",
    "spark.hadoop.fs.azure.account.key.a.dfs.core.windows.net, x",
    "spark.hadoop.javax.jdo.option.ConnectionPassword, x",
    "spark.executorEnv.DB_PASSWD, x",
    "spark.ssl.keyPassword, x",
    "spark.hadoop.google.private_key, x",
    "spark.hadoop.store, https://alice:x@store.example/bucket",
    "spark.executor.extraJavaOptions, -Xss1m -Dstore.passphrase=x"
  })
  void secretsAreHiddenFromUsAndFromSpark(String key, String value) {
    assertThat(Redaction.shown(key, value)).isEqualTo("(redacted)");
    assertThat(Pattern.compile(Redaction.REGEX).matcher(key + " " + value).find()).isTrue();
  }

  @ParameterizedTest
  @CsvSource({
    "spark.executor.extraClassPath, /lib/tokenizers-1.jar",
    "spark.executor.memory, 1g",
    "spark.hadoop.fs.s3a.endpoint, https://store.example:9000/a@b",
    "spark.executor.extraJavaOptions, -Dfile.encoding=UTF-8"
  })
  void whatIsNoSecretStays(String key, String value) {
    assertThat(Redaction.shown(key, value)).isEqualTo(value);
  }

  @Test
  void secretsFindTheirPlacesAgain() {
    SparkSpec spec =
        new SparkSpec(
            Optional.empty(), Duration.ofSeconds(1), Map.of("a.token", "1", "b.token", "2"));
    SparkSpec shown = spec.withoutSecrets();
    assertThat(shown.lostSecrets()).containsExactly("a.token", "b.token");
    assertThat(shown.withSecrets(spec.secrets())).isEqualTo(spec);
    assertThat(shown.withSecrets(Map.of("a.token", "1", "c", "3")).conf())
        .isEqualTo(Map.of("a.token", "1"));
    assertThat(spec.withSecrets(Map.of("a.token", "9"))).isEqualTo(spec);
    SparkSpec byValue =
        new SparkSpec(
            Optional.empty(), Duration.ofSeconds(1), Map.of("store", "https://a:b@c/", "x", "1"));
    assertThat(byValue.withoutSecrets().withSecrets(Map.of()).conf()).isEqualTo(Map.of("x", "1"));
  }

  @Test
  void aPasswordInAPathIsRefusedWithoutRepeatingIt() {
    String yaml =
        """
        model: {type: llama, width: 8, layers: 1, heads: 1, context: 8}
        data: {type: text, paths: ["https://alice:s3cr3t@store.example/corpus.txt"]}
        optimizer: {type: adamw, lr: 1e-3}
        steps: 1
        sequence_length: 8
        micro_batch: 8
        global_batch: 8
        """;
    ConfigDocument document = ConfigDocument.parse(yaml, "run.yaml");
    assertThatThrownBy(() -> PlanReader.read(document, List.of()))
        .isInstanceOf(PlanException.class)
        .hasMessageStartingWith("data.paths")
        .hasMessageNotContaining("s3cr3t");
  }
}
