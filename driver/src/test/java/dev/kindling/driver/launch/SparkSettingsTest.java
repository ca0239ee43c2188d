package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.plugin.GpuDiscovery;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SparkSettingsTest {
  private static SparkConf of(SparkConf submitted, Map<String, String> yaml) {
    return of(submitted, yaml, Device.CPU);
  }

  private static SparkConf of(SparkConf submitted, Map<String, String> yaml, Device device) {
    SparkSpec spec = new SparkSpec(Optional.empty(), Duration.ofSeconds(300), yaml);
    if (!submitted.get("spark.master", "local").startsWith("local")) {
      SparkSecurityTest.close(submitted);
    }
    return SparkSettings.of(submitted, spec, new Workers(2, device), "/lib/kindling.jar");
  }

  @Test
  void withoutAMasterEachRankGetsAnExecutorOfItsOwnBehindASecret() {
    SparkConf conf = of(new SparkConf(false), Map.of());
    assertThat(conf.get("spark.master")).isEqualTo("local-cluster[1,2,2048]");
    assertThat(conf.get("spark.executor.extraClassPath")).isEqualTo("/lib/kindling.jar");
    assertThat(conf.get("spark.authenticate")).isEqualTo("true");
    assertThat(conf.get("spark.authenticate.secret")).hasSize(64);
    assertThat(conf.get("spark.task.reaper.killTimeout")).isEqualTo("5s");
    assertThat(conf.get("spark.kindling.alone")).isEqualTo("true");
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
    assertThat(conf.contains("spark.authenticate.secret")).isFalse();
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

  @Test
  void anOpenClusterIsAnErrorOfTheConfiguration() {
    SparkConf open = new SparkConf(false).set("spark.master", "spark://h:7077");
    SparkSpec spec = new SparkSpec(Optional.empty(), Duration.ofSeconds(300), Map.of());
    assertThatThrownBy(() -> SparkSettings.of(open, spec, new Workers(2, Device.CPU), ""))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failure -> assertThat(failure.kind().exitCode()).isEqualTo(2))
        .hasMessageContaining("spark.authenticate=true");
  }

  @Test
  void executorsLeaveNoCoreUnlessSomebodyWantsOne() {
    String key = "spark.executor.extraJavaOptions";
    assertThat(of(new SparkConf(false), Map.of()).get(key)).contains("-XX:-CreateCoredumpOnCrash");
    SparkConf own = new SparkConf(false).set(key, "-XX:+CreateCoredumpOnCrash");
    assertThat(of(own, Map.of()).get(key)).doesNotContain("-XX:-CreateCoredumpOnCrash");
  }

  @Test
  void aCpuRunAsksForNoGpuAndCarriesNoBindings() {
    for (SparkConf submitted :
        List.of(new SparkConf(false), new SparkConf(false).set("spark.master", "yarn"))) {
      SparkConf conf = of(submitted, Map.of());
      assertThat(conf.toDebugString()).doesNotContain("gpu", "cuda", "memoryOverhead");
      assertThat(conf.get("spark.executor.extraJavaOptions"))
          .contains("javacpp.maxBytes=0", "javacpp.maxPhysicalBytes=0")
          .doesNotContain("noPointerGC", "UseZGC");
    }
  }

  @Test
  void theEmbeddedMasterOffersAGpuARankAndTheBindings() {
    SparkConf conf = of(new SparkConf(false), Map.of(), Device.CUDA);
    assertThat(conf.get("spark.master")).isEqualTo("local-cluster[1,2,4096]");
    assertThat(conf.get("spark.worker.resource.gpu.amount")).isEqualTo("2");
    assertThat(conf.get("spark.executor.resource.gpu.amount")).isEqualTo("1");
    assertThat(conf.get("spark.resources.discoveryPlugin")).isEqualTo(GpuDiscovery.class.getName());
    // Preparing data needs no GPU: the claim of a rank stands in its stage's own profile.
    assertThat(conf.contains("spark.task.resource.gpu.amount")).isFalse();
    assertThat(conf.get("spark.executor.extraClassPath"))
        .contains("jcuda-natives", "cuda-13", "linux-x86_64")
        .endsWith(":/lib/kindling.jar");
    assertThat(conf.get("spark.executor.extraJavaOptions"))
        .contains("-Dorg.bytedeco.javacpp.noPointerGC=true", "javacpp.maxPhysicalBytes=0")
        .contains("-XX:+UseZGC");
  }

  @Test
  void aCollectorThatSomebodyNamesWhereverItIsStaysTheOnlyOne() {
    assertThat(SparkSettings.collector(new SparkConf(false), Device.CUDA, Map.of()))
        .contains("-XX:+UseZGC");
    String own = "-Xss2m -XX:+UseParallelGC";
    for (String key :
        List.of(
            "spark.executor.defaultJavaOptions",
            "spark.executor.extraJavaOptions",
            "spark.executorEnv.JAVA_TOOL_OPTIONS")) {
      SparkConf conf = of(new SparkConf(false).set(key, own), Map.of(), Device.CUDA);
      assertThat(conf.get("spark.executor.extraJavaOptions")).as(key).doesNotContain("UseZGC");
    }
    Map<String, String> environment = Map.of("JAVA_TOOL_OPTIONS", own);
    assertThat(SparkSettings.collector(new SparkConf(false), Device.CUDA, environment)).isEmpty();
  }

  @Test
  void aMasterOfThisMachineThatTheUserNamedOffersGpusToo() {
    SparkConf own = new SparkConf(false).setMaster("local-cluster[1,2,4096]");
    SparkConf conf = of(own, Map.of(), Device.CUDA);
    assertThat(conf.get("spark.worker.resource.gpu.amount")).isEqualTo("2");
    assertThat(conf.get("spark.resources.discoveryPlugin")).isEqualTo(GpuDiscovery.class.getName());
    assertThat(conf.get("spark.executor.extraClassPath")).contains("jcuda");
    assertThat(conf.get("spark.master")).isEqualTo("local-cluster[1,2,4096]");
  }

  @Test
  void severalWorkersOfThisMachineWouldHandOutTheSameGpu() {
    SparkConf two = new SparkConf(false).setMaster("local-cluster[2,1,2048]");
    assertThatThrownBy(() -> of(two, Map.of(), Device.CUDA))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContainingAll(
            "spark.master: expected local-cluster with one worker",
            "found local-cluster[2,1,2048]",
            "local-cluster[1,CORES,MEMORY]");
    Map<String, String> none = Map.of("spark.executor.resource.gpu.amount", "0");
    assertThat(of(two, none, Device.CUDA).get("spark.master")).isEqualTo("local-cluster[2,1,2048]");
    assertThat(of(two, Map.of()).get("spark.master")).isEqualTo("local-cluster[2,1,2048]");
  }

  @Test
  void aClusterBringsItsGpusAndFetchesTheBindings() {
    SparkConf standalone =
        of(new SparkConf(false).set("spark.master", "spark://h:7077"), Map.of(), Device.CUDA);
    assertThat(standalone.get("spark.executor.resource.gpu.amount")).isEqualTo("1");
    assertThat(standalone.contains("spark.resources.discoveryPlugin")).isFalse();
    assertThat(standalone.contains("spark.worker.resource.gpu.amount")).isFalse();
    assertThat(standalone.get("spark.jars"))
        .startsWith("/lib/kindling.jar,")
        .contains("jcuda-natives-");
    assertThat(standalone.get("spark.executor.memory")).isEqualTo("2g");
    assertThat(standalone.get("spark.executor.memoryOverhead")).isEqualTo("8g");
    SparkConf yarn = of(new SparkConf(false).set("spark.master", "yarn"), Map.of(), Device.CUDA);
    assertThat(yarn.get("spark.resources.discoveryPlugin")).isEqualTo(GpuDiscovery.class.getName());
    assertThat(yarn.contains("spark.executor.resource.gpu.vendor")).isFalse();
    SparkConf k8s = new SparkConf(false).set("spark.master", "k8s://https://h:6443");
    assertThat(of(k8s, Map.of(), Device.CUDA).get("spark.executor.resource.gpu.vendor"))
        .isEqualTo("nvidia.com");
    SparkConf script =
        new SparkConf(false)
            .set("spark.master", "yarn")
            .set("spark.executor.resource.gpu.discoveryScript", "/gpus.sh");
    assertThat(of(script, Map.of(), Device.CUDA).contains("spark.resources.discoveryPlugin"))
        .isFalse();
  }

  @Test
  void bindingsThatSparkSubmitFetchesAlreadyAreNotAddedAgain() {
    for (String key : List.of("spark.jars", "spark.yarn.dist.jars")) {
      SparkConf conf = new SparkConf(false).set("spark.master", "yarn");
      conf.set(key, "hdfs://n/lib/kindling-cuda-1.jar,hdfs://n/lib/kindling-1.jar");
      GpuSettings.submitted(conf, List.of(Path.of("/x/kindling-cuda-1.jar")), Map.of());
      assertThat(conf.toDebugString()).doesNotContain("/x/");
    }
  }

  @Test
  void theDriversLibraryPathReachesExecutorsOnlyWhereNothingElseIsSaid() {
    Map<String, String> environment = Map.of("LD_LIBRARY_PATH", "/cuda/lib64");
    SparkConf conf = new SparkConf(false).set("spark.master", "spark://h:7077");
    GpuSettings.submitted(conf, List.of(), environment);
    assertThat(conf.get("spark.executorEnv.LD_LIBRARY_PATH")).isEqualTo("/cuda/lib64");
    SparkConf own =
        new SparkConf(false)
            .set("spark.master", "spark://h:7077")
            .set("spark.executorEnv.LD_LIBRARY_PATH", "/own");
    GpuSettings.submitted(own, List.of(), environment);
    assertThat(own.get("spark.executorEnv.LD_LIBRARY_PATH")).isEqualTo("/own");
    SparkConf without = new SparkConf(false).set("spark.master", "spark://h:7077");
    GpuSettings.submitted(without, List.of(), Map.of());
    assertThat(without.contains("spark.executorEnv.LD_LIBRARY_PATH")).isFalse();
  }

  @Test
  void aRankClaimsAWholeExecutorAndItsGpu() {
    SparkConf cores = new SparkConf(false).set("spark.executor.cores", "4");
    cores.set("spark.master", "spark://h:7077");
    assertThat(taskAmounts(of(cores, Map.of(), Device.CUDA)))
        .containsExactlyInAnyOrder("cpus 4.0", "gpu 1.0");
    assertThat(taskAmounts(of(cores, Map.of(), Device.CPU))).containsExactly("cpus 4.0");
    SparkConf embedded = of(new SparkConf(false), Map.of(), Device.CUDA);
    assertThat(taskAmounts(embedded)).containsExactlyInAnyOrder("cpus 1.0", "gpu 1.0");
    assertThat(BarrierLauncher.claim(of(new SparkConf(false), Map.of()))).isEmpty();
  }

  @Test
  void gpusMayBeLeftOutOfSparksHands() {
    Map<String, String> none = Map.of("spark.executor.resource.gpu.amount", "0");
    SparkConf standalone = new SparkConf(false).set("spark.master", "spark://h:7077");
    assertThat(BarrierLauncher.claim(of(standalone, none, Device.CUDA))).isEmpty();
    SparkConf embedded = of(new SparkConf(false), none, Device.CUDA);
    assertThat(BarrierLauncher.claim(embedded)).isEmpty();
    assertThat(embedded.contains("spark.worker.resource.gpu.amount")).isFalse();
    SparkConf local = of(new SparkConf(false).setMaster("local[2]"), Map.of(), Device.CUDA);
    assertThat(local.contains("spark.executor.resource.gpu.amount")).isFalse();
    assertThat(BarrierLauncher.claim(local)).isEmpty();
  }

  private static List<String> taskAmounts(SparkConf conf) {
    return BarrierLauncher.claim(conf).orElseThrow().taskResourcesJMap().values().stream()
        .map(request -> request.resourceName() + " " + request.amount())
        .toList();
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
