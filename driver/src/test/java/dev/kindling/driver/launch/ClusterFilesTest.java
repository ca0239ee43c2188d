package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
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
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.k8s.KubernetesConf$;
import org.apache.spark.deploy.k8s.KubernetesExecutorConf;
import org.apache.spark.deploy.k8s.SparkPod;
import org.apache.spark.internal.config.ConfigEntry;
import org.apache.spark.internal.config.package$;
import org.apache.spark.resource.ResourceProfile$;
import org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBuilder;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import scala.Option;

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
              + "|kubernetes\\.executor\\.volumes\\.persistentVolumeClaim\\.\\w+\\.(mount\\.path|options\\.claimName))");

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

  @Test
  void thePodOfARankIsRenderedBySparkItself() throws IOException {
    SparkPod pod = rendered();
    PodSpec spec = pod.pod().getSpec();
    assertThat(spec.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(spec.getAutomountServiceAccountToken()).isFalse();
    assertThat(spec.getVolumes())
        .anyMatch(v -> v.getEmptyDir() != null && "Memory".equals(v.getEmptyDir().getMedium()))
        .anyMatch(
            v ->
                v.getPersistentVolumeClaim() != null
                    && "kindling-runs".equals(v.getPersistentVolumeClaim().getClaimName()));
    Container container = pod.container();
    assertThat(container.getImage()).contains("spark:4.2.0");
    assertThat(container.getVolumeMounts())
        .anyMatch(mount -> mount.getMountPath().equals("/dev/shm"))
        .anyMatch(mount -> mount.getMountPath().equals("/shared"));
    Map<String, Quantity> requests = container.getResources().getRequests();
    assertThat(requests.get("cpu")).isEqualTo(new Quantity("4"));
    assertThat(Quantity.getAmountInBytes(requests.get("memory")))
        .as("heap and what lies beside it")
        .isEqualByComparingTo(java.math.BigDecimal.valueOf(6L << 30));
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getEnv().stream().map(EnvVar::getName)).contains("_SPARK_AUTH_SECRET");
    assertThat(pod.pod().getMetadata().getLabels())
        .containsEntry("app.kubernetes.io/name", "kindling");
  }

  /** Offline: the client only reads the template. */
  private static SparkPod rendered() throws IOException {
    SparkConf conf =
        settings("kubernetes.conf", "k8s://https://host:443")
            .set("spark.driver.host", "driver.kindling.svc")
            .set("spark.driver.port", "7078")
            .set(
                "spark.kubernetes.executor.podTemplateFile",
                FOLDER.resolve("kubernetes-executor.yaml").toAbsolutePath().toString());
    SecurityManager security =
        new SecurityManager(conf, Option.empty(), package$.MODULE$.AUTH_SECRET_FILE_EXECUTOR());
    security.initializeAuth();
    KubernetesExecutorConf executor =
        KubernetesConf$.MODULE$.createExecutorConf(conf, "1", "kindling-app", Option.empty(), 0);
    try (KubernetesClient client =
        new KubernetesClientBuilder().withConfig(Config.empty()).build()) {
      return new KubernetesExecutorBuilder()
          .buildFromFeatures(
              executor, security, client, ResourceProfile$.MODULE$.getOrCreateDefaultProfile(conf))
          .pod();
    }
  }
}
