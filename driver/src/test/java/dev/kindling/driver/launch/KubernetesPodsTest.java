package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivilegedExceptionAction;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.spark.SecurityManager;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.SparkSubmit;
import org.apache.spark.deploy.SparkSubmitArguments;
import org.apache.spark.deploy.k8s.KubernetesConf$;
import org.apache.spark.deploy.k8s.KubernetesDriverSpec;
import org.apache.spark.deploy.k8s.SparkPod;
import org.apache.spark.deploy.k8s.submit.JavaMainAppResource;
import org.apache.spark.deploy.k8s.submit.KubernetesDriverBuilder;
import org.apache.spark.internal.config.package$;
import org.apache.spark.resource.ResourceProfile$;
import org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBuilder;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What Spark itself makes of the sample files for Kubernetes, from spark-submit's command line to
 * the pods, with every offered setting taken up. No cluster is asked: the client only reads the
 * templates.
 */
class KubernetesPodsTest {
  private static final Path FOLDER =
      Path.of("..", "cluster-configs", "cluster").toAbsolutePath().normalize();
  private static final String MASTER = "k8s://https://host:443";
  private static final String JAR = "local:///opt/kindling/lib/kindling.jar";
  private static final String SECRET = "5ec5e7".repeat(10) + "0000";
  private static final SparkSpec PLAIN =
      new SparkSpec(Optional.empty(), Duration.ofMinutes(5), Map.of());

  @TempDir private Path folder;

  private SparkConf conf;
  private String mainClass;

  /** The machine that submits: the file with every comment sign before a setting taken away. */
  @BeforeEach
  void submit() throws IOException {
    Path secret = Files.writeString(folder.resolve("secret"), SECRET);
    String text =
        Files.readString(FOLDER.resolve("kubernetes.conf"), StandardCharsets.UTF_8)
            .replaceAll("(?m)^#(spark\\.)", "$1")
            .replace("cluster-configs/cluster/", FOLDER + "/");
    Path file = Files.writeString(folder.resolve("my-kubernetes.conf"), text);
    List<String> words =
        List.of(
            "--master",
            MASTER,
            "--deploy-mode",
            "cluster",
            "--properties-file",
            file.toString(),
            "--class",
            "dev.kindling.driver.Main",
            JAR,
            "train",
            "/shared/recipe.yaml");
    SparkSubmitArguments arguments =
        new SparkSubmitArguments(
            CollectionConverters.asScala(words).toSeq(),
            scala.collection.immutable.Map$.MODULE$.<String, String>empty());
    var prepared = new SparkSubmit().prepareSubmitEnvironment(arguments, Option.empty());
    mainClass = prepared._4();
    conf = prepared._3();
    conf.set("spark.kubernetes.submission.waitAppCompletion", "false");
    // What ranks read, the machine that submits has elsewhere.
    conf.set("spark.authenticate.secret.driver.file", secret.toString());
  }

  private static void assertNoSecret(List<HasMetadata> resources, Container container) {
    assertThat(container.getEnv())
        .as("variables, which all can read who may look at pods")
        .noneMatch(variable -> ("" + variable.getValue()).contains(SECRET))
        .noneMatch(variable -> variable.getName().contains("AUTH_SECRET"));
    assertThat("" + container.getArgs() + container.getCommand()).doesNotContain(SECRET);
    assertThat(resources.toString()).doesNotContain(SECRET);
  }

  private static void assertClosed(SparkPod pod, String mount) {
    PodSpec spec = pod.pod().getSpec();
    assertThat(spec.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(spec.getVolumes())
        .anyMatch(
            v -> v.getSecret() != null && v.getSecret().getSecretName().equals("kindling-auth"))
        .anyMatch(
            v ->
                v.getPersistentVolumeClaim() != null
                    && "kindling-runs".equals(v.getPersistentVolumeClaim().getClaimName()));
    Container container = pod.container();
    assertThat(container.getImage()).contains("spark:4.2.0");
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(container.getVolumeMounts())
        .anyMatch(m -> m.getMountPath().equals("/etc/kindling-auth"))
        .anyMatch(m -> m.getMountPath().equals(mount));
    assertThat(pod.pod().getMetadata().getLabels())
        .containsEntry("app.kubernetes.io/name", "kindling");
  }

  /** As a user of its own: Spark asks its credentials first, where any session leaves a secret. */
  @Test
  void thePodOfARank() throws Exception {
    UserGroupInformation.createRemoteUser("submitter")
        .doAs(
            (PrivilegedExceptionAction<Boolean>)
                () -> {
                  checkThePodOfARank();
                  return true;
                });
  }

  private void checkThePodOfARank() {
    SparkConf settings =
        SparkSettings.of(conf, PLAIN, new Workers(2, Device.CUDA), JAR)
            .set("spark.driver.host", "driver.kindling.svc")
            .set("spark.driver.port", "7078");
    assertThat(settings.get("spark.plugins")).contains("KindlingPlugin");
    assertThat(settings.get("spark.authenticate")).isEqualTo("true");
    SecurityManager security =
        new SecurityManager(settings, Option.empty(), package$.MODULE$.AUTH_SECRET_FILE_DRIVER());
    security.initializeAuth();
    assertThat(security.getSecretKey())
        .isEqualTo(
            java.util.Base64.getEncoder().encodeToString(SECRET.getBytes(StandardCharsets.UTF_8)));
    SparkPod pod;
    List<HasMetadata> resources;
    try (KubernetesClient client = offline()) {
      var spec =
          new KubernetesExecutorBuilder()
              .buildFromFeatures(
                  KubernetesConf$.MODULE$.createExecutorConf(
                      settings, "1", "kindling-app", Option.empty(), 0),
                  security,
                  client,
                  ResourceProfile$.MODULE$.getOrCreateDefaultProfile(settings));
      pod = spec.pod();
      resources = CollectionConverters.asJava(spec.executorKubernetesResources());
    } finally {
      ResourceProfile$.MODULE$.clearDefaultProfile();
    }
    assertClosed(pod, "/shared");
    assertNoSecret(resources, pod.container());
    assertThat(pod.pod().getSpec().getAutomountServiceAccountToken()).isFalse();
    assertThat(pod.pod().getSpec().getVolumes())
        .anyMatch(v -> v.getEmptyDir() != null && "Memory".equals(v.getEmptyDir().getMedium()));
    assertThat(pod.container().getVolumeMounts())
        .anyMatch(mount -> mount.getMountPath().equals("/dev/shm"));
    Map<String, Quantity> requests = pod.container().getResources().getRequests();
    assertThat(requests.get("cpu")).isEqualTo(new Quantity("4"));
    assertThat(Quantity.getAmountInBytes(requests.get("memory")))
        .as("heap and what lies beside it")
        .isEqualByComparingTo(BigDecimal.valueOf(6L << 30));
    assertThat(pod.container().getResources().getLimits().get("nvidia.com/gpu"))
        .isEqualTo(new Quantity("1"));
  }

  @Test
  void thePodOfTheDriver() {
    assertThat(mainClass)
        .isEqualTo("org.apache.spark.deploy.k8s.submit.KubernetesClientApplication");
    KubernetesDriverSpec driver;
    try (KubernetesClient client = offline()) {
      driver =
          new KubernetesDriverBuilder()
              .buildFromFeatures(
                  KubernetesConf$.MODULE$.createDriverConf(
                      conf,
                      "kindling-app",
                      JavaMainAppResource.of(JAR),
                      "dev.kindling.driver.Main",
                      new String[] {"train", "/shared/recipe.yaml"},
                      Option.empty()),
                  client);
    }
    SparkPod pod = driver.pod();
    assertClosed(pod, "/shared");
    List<HasMetadata> resources = new ArrayList<>(driver.getDriverKubernetesResourcesAsJavaList());
    resources.addAll(driver.getDriverPreKubernetesResourcesAsJavaList());
    assertNoSecret(resources, pod.container());
    assertThat(pod.pod().getSpec().getServiceAccountName()).isEqualTo("spark");
    assertThat(pod.container().getArgs())
        .containsSubsequence("driver", "--class", "dev.kindling.driver.Main")
        .contains(JAR, "train", "/shared/recipe.yaml");
    Map<String, String> properties = driver.getSystemPropertiesAsJavaMap();
    assertThat(conf.get("spark.authenticate.secret.file")).isEqualTo("/etc/kindling-auth/secret");
    assertThat(properties.values()).noneMatch(value -> value.contains(SECRET));
  }

  private static KubernetesClient offline() {
    return new KubernetesClientBuilder().withConfig(Config.empty()).build();
  }
}
