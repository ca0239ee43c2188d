package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.spark.SparkConf;
import org.apache.spark.internal.config.ConfigEntry;
import org.apache.spark.internal.config.package$;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The sample cluster files say what Spark understands, and what they promise. */
class ClusterFilesTest {
  private static final Path FOLDER = Path.of("..", "cluster-configs", "cluster");
  private static final SparkSpec PLAIN =
      new SparkSpec(Optional.empty(), Duration.ofMinutes(5), Map.of());

  /** A setting, also one that is offered behind a comment sign. */
  private static final Pattern SETTING = Pattern.compile("(?m)^#?(spark\\.\\S+) +\\S");

  /** Keys that Spark does not list: families, and what its network layer reads by name. */
  private static final Pattern FAMILY =
      Pattern.compile(
          "spark\\.(network\\.crypto\\.cipher|executorEnv\\.\\w+|executor\\.resource\\.gpu\\.(amount|vendor)"
              + "|kubernetes\\.(executor|driver)\\.secrets\\.[\\w-]+"
              + "|kubernetes\\.(executor|driver)\\.volumes\\.persistentVolumeClaim\\.\\w+\\.(mount\\.path|options\\.claimName))");

  @BeforeAll
  static void sparkListsItsSettings() {
    assertThat(
            List.of(
                package$.MODULE$,
                org.apache.spark.internal.config.Network$.MODULE$,
                org.apache.spark.deploy.k8s.Config$.MODULE$,
                org.apache.spark.deploy.yarn.config.package$.MODULE$))
        .doesNotContainNull();
  }

  private static SparkConf submitted(String name, String master) throws IOException {
    Properties properties = new Properties();
    try (Reader in = Files.newBufferedReader(FOLDER.resolve(name), StandardCharsets.UTF_8)) {
      properties.load(in);
    }
    SparkConf conf = new SparkConf(false).setMaster(master);
    properties.stringPropertyNames().forEach(key -> conf.set(key, properties.getProperty(key)));
    return conf;
  }

  private static SparkConf settings(String name, String master) throws IOException {
    Workers two = new Workers(2, Device.CPU);
    return SparkSettings.of(submitted(name, master), PLAIN, two, "/opt/kindling.jar");
  }

  @ParameterizedTest
  @ValueSource(strings = {"standalone.conf", "yarn.conf", "kubernetes.conf"})
  void sparkKnowsEverySetting(String name) throws IOException {
    String text = Files.readString(FOLDER.resolve(name), StandardCharsets.UTF_8);
    List<String> keys = SETTING.matcher(text).results().map(match -> match.group(1)).toList();
    assertThat(keys).hasSizeGreaterThan(6);
    for (String key : keys) {
      boolean known = ConfigEntry.findEntry(key) != null || FAMILY.matcher(key).matches();
      assertThat(known).as(name + ": " + key).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"standalone.conf", "yarn.conf", "kubernetes.conf"})
  void strangersAreKeptOut(String name) throws IOException {
    SparkConf conf = submitted(name, "any");
    assertThat(conf.get("spark.authenticate")).isEqualTo("true");
    assertThat(conf.get("spark.network.crypto.enabled")).isEqualTo("true");
    assertThat(conf.get("spark.network.crypto.cipher")).isEqualTo("AES/GCM/NoPadding");
    assertThat(conf.contains("spark.authenticate.secret")).as("no secret that all know").isFalse();
  }

  @Test
  void theyGiveEachRankAnExecutor() throws IOException {
    SparkConf standalone = settings("standalone.conf", "spark://host:7077");
    assertThat(SparkSettings.totalSlots(standalone)).isEqualTo(OptionalInt.of(2));
    assertThat(standalone.get("spark.cores.max")).isEqualTo("8");
    SparkConf yarn = settings("yarn.conf", "yarn");
    assertThat(SparkSettings.totalSlots(yarn)).isEqualTo(OptionalInt.of(2));
    SparkConf kubernetes = settings("kubernetes.conf", "k8s://https://host:443");
    assertThat(SparkSettings.totalSlots(kubernetes)).isEqualTo(OptionalInt.of(2));
  }
}
