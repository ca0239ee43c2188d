package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SparkSecurityTest {
  static SparkConf close(SparkConf conf) {
    return conf.set("spark.authenticate", "true")
        .set("spark.network.crypto.enabled", "true")
        .set("spark.network.crypto.cipher", "AES/GCM/NoPadding");
  }

  private static SparkConf at(String master) {
    return new SparkConf(false).set("spark.master", master);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "spark://h:7077",
        "spark://127.0.0.1:7077,h:7077",
        "spark://10.0.0.3:7077",
        "spark://127.example.org:7077",
        "yarn",
        "k8s://https://127.0.0.1:6443"
      })
  void anOpenMasterIsRefusedWithKeysMendAndSwitch(String master) {
    assertThat(SparkSecurity.refusals(at(master)))
        .singleElement()
        .asString()
        .startsWith(master)
        .contains(
            "spark.authenticate=true",
            "spark.network.crypto.enabled=true",
            "spark.network.crypto.cipher=AES/GCM/NoPadding",
            "spark-defaults.conf",
            "spark.kindling.security=off");
    assertThat(SparkSecurity.refusals(close(at(master)))).isEmpty();
    assertThat(SparkSecurity.refusals(at(master).set(SparkSecurity.SWITCH, "off"))).isEmpty();
  }

  @Test
  void onlyWhatIsMissingIsNamed() {
    SparkConf conf = close(at("yarn"));
    conf.set("spark.network.crypto.cipher", "AES/CTR/NoPadding");
    assertThat(SparkSecurity.refusals(conf))
        .singleElement()
        .asString()
        .contains("set spark.network.crypto.cipher=AES/GCM/NoPadding (");
    conf.set("spark.ssl.rpc.enabled", "true");
    assertThat(SparkSecurity.refusals(conf)).as("TLS instead").isEmpty();
    assertThat(SparkSecurity.refusals(at("local[2]").set(SparkSecurity.SWITCH, "maybe")))
        .containsExactly("spark.kindling.security: expected on or off, found maybe");
  }

  @ParameterizedTest
  @ValueSource(strings = {"local[2]", "local-cluster[1,2,1024]", ""})
  void aMasterOfOursIsClosed(String master) {
    SparkConf conf = master.isEmpty() ? new SparkConf(false) : at(master);
    assertThat(SparkSecurity.refusals(conf)).isEmpty();
    SparkSecurity.complete(conf);
    assertThat(conf.get("spark.authenticate")).isEqualTo("true");
    assertThat(conf.get("spark.authenticate.secret")).hasSize(64);
    assertThat(conf.get("spark.network.crypto.enabled")).isEqualTo("true");
    assertThat(conf.get("spark.network.crypto.cipher")).isEqualTo("AES/GCM/NoPadding");
    assertThat(conf.get("spark.network.crypto.saslFallback")).isEqualTo("false");
  }

  @Test
  void whatTheUserSaysAboutHisOwnMachineStays() {
    SparkConf open = at("local[2]").set("spark.authenticate", "false");
    SparkSecurity.complete(open);
    assertThat(open.contains("spark.authenticate.secret")).isFalse();
    assertThat(open.contains("spark.network.crypto.enabled")).isFalse();
    SparkConf known = at("local[2]").set("spark.authenticate.secret", "known");
    SparkSecurity.complete(known);
    assertThat(known.get("spark.authenticate.secret")).isEqualTo("known");
  }

  @ParameterizedTest
  @ValueSource(strings = {"spark://127.0.0.1:7077", "spark://localhost:1", "spark://[::1]:7077"})
  void aMasterBehindLoopbackMayBeOpen(String master) {
    assertThat(SparkSecurity.refusals(at(master))).isEmpty();
  }

  @Test
  void aSecretAmongJvmOptionsIsRefusedWithoutRepeatingIt() {
    for (String key :
        List.of("spark.executor.extraJavaOptions", "spark.driver.defaultJavaOptions")) {
      SparkConf conf = at("local[2]").set(key, "-Xss2m -Dstore.password=s3cr3t");
      assertThat(SparkSecurity.refusals(conf))
          .singleElement()
          .asString()
          .startsWith(key)
          .contains("spark.executorEnv")
          .doesNotContain("s3cr3t");
      assertThat(SparkSecurity.refusals(conf.set(SparkSecurity.SWITCH, "off"))).isEmpty();
    }
  }
}
