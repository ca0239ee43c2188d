package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.plan.SparkSpec;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SparkSettingsTest {
  private static SparkConf of(SparkConf submitted, Map<String, String> yaml) {
    SparkSpec spec = new SparkSpec(Optional.empty(), Duration.ofSeconds(300), yaml);
    return SparkSettings.of(submitted, spec, 2, "/lib/kindling.jar");
  }

  @Test
  void withoutAMasterEachRankGetsAnExecutorOfItsOwnBehindASecret() {
    SparkConf conf = of(new SparkConf(false), Map.of());
    assertThat(conf.get("spark.master")).isEqualTo("local-cluster[1,2,2048]");
    assertThat(conf.get("spark.executor.extraClassPath")).isEqualTo("/lib/kindling.jar");
    assertThat(conf.get("spark.authenticate")).isEqualTo("true");
    assertThat(conf.get("spark.authenticate.secret")).hasSize(64);
    assertThat(conf.get("spark.task.reaper.killTimeout")).isEqualTo("5s");
    assertThat(conf.get("spark.executor.extraJavaOptions")).doesNotContain("secret");
    assertThat(SparkSettings.totalSlots(conf)).hasValue(2);
  }

  @Test
  void whatSparkSubmitSaysStays() {
    SparkConf submitted =
        new SparkConf(false)
            .set("spark.master", "spark://h:7077")
            .set("spark.plugins", "a.B")
            .set("spark.executor.memory", "3g");
    SparkConf conf = of(submitted, Map.of());
    assertThat(conf.get("spark.master")).isEqualTo("spark://h:7077");
    assertThat(conf.get("spark.plugins"))
        .isEqualTo("a.B,dev.kindling.driver.plugin.KindlingPlugin");
    assertThat(conf.get("spark.executor.memory")).isEqualTo("3g");
    assertThat(conf.contains("spark.authenticate")).isFalse();
    assertThat(SparkSettings.totalSlots(conf)).hasValue(2);
  }

  @Test
  void anApplicationTakesTheCoresOfAllItsExecutorsUnlessToldOtherwise() {
    SparkConf submitted =
        new SparkConf(false).set("spark.master", "spark://h:7077").set("spark.executor.cores", "4");
    assertThat(of(submitted, Map.of()).get("spark.cores.max")).isEqualTo("8");
    assertThat(of(submitted, Map.of("spark.cores.max", "9")).get("spark.cores.max")).isEqualTo("9");
  }

  @Test
  void settingsMayRuleOutRanksBeforeAnybodyWaits() {
    SparkConf standalone =
        new SparkConf(false)
            .set("spark.master", "spark://h:7077")
            .set("spark.executor.cores", "4")
            .set("spark.cores.max", "7");
    SparkConf conf = of(standalone, Map.of());
    assertThat(SparkSettings.totalSlots(conf)).hasValue(1);
    assertThat(SparkSettings.limit(conf))
        .isEqualTo(" (spark.cores.max 7 / spark.executor.cores 4)");
    SparkConf yarn = new SparkConf(false).set("spark.master", "yarn");
    assertThat(SparkSettings.totalSlots(of(yarn, Map.of()))).isEmpty();
    assertThat(SparkSettings.totalSlots(of(yarn, Map.of("spark.executor.instances", "3"))))
        .hasValue(3);
  }

  @Test
  void contradictionsAreToldAllAtOnce() {
    SparkConf submitted =
        new SparkConf(false)
            .set("spark.executor.memory", "3g")
            .set("spark.dynamicAllocation.enabled", "true");
    assertThatThrownBy(() -> of(submitted, Map.of("spark.executor.memory", "2g")))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("spark.executor.memory: the configuration says 2g")
        .hasMessageContaining("spark.dynamicAllocation.enabled");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "local; 1",
        "local[3]; 3",
        "local[4,2]; 4",
        "local-cluster[2,3,1024]; 2",
        "local-cluster[1,4,4096]; 4"
      })
  void theMasterSaysHowManySlotsThereCanBe(String master, int slots) {
    SparkConf conf = new SparkConf(false).setMaster(master).set("spark.executor.memory", "1g");
    assertThat(SparkSettings.totalSlots(conf)).hasValue(slots);
  }
}
