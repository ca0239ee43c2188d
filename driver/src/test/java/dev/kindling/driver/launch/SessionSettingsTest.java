package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.plugin.KindlingPlugin;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.SparkSpec;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class SessionSettingsTest {
  private static SparkConf running(String master) {
    return new SparkConf(false)
        .setMaster(master)
        .set("spark.plugins", "a.B, " + KindlingPlugin.class.getName());
  }

  private static ThrowingCallable require(SparkConf running, Map<String, String> wanted) {
    SparkSpec spec = new SparkSpec(Optional.empty(), Duration.ofSeconds(9), wanted);
    return () -> SessionSettings.require(running, spec, Device.CPU);
  }

  @Test
  void aSessionOfThisMachineWithThePluginIsTaken() {
    assertThatCode(require(running("local[2]"), Map.of())).doesNotThrowAnyException();
    SparkConf shuffled = running("local[2]").set("spark.sql.shuffle.partitions", "2");
    assertThatCode(require(shuffled, Map.of("spark.sql.shuffle.partitions", "2")))
        .doesNotThrowAnyException();
  }

  @Test
  void everythingThatIsMissingIsSaidAtOnceAndSecretsAreNotRepeated() {
    SparkConf running =
        new SparkConf(false).setMaster("local[2]").set("spark.dynamicAllocation.enabled", "true");
    assertThatThrownBy(
            require(running, Map.of("spark.a", "b", "spark.hadoop.fs.s3a.secret.key", "hidden")))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("spark.a: the configuration says b, the session that runs has none")
        .hasMessageContaining("spark.plugins: expected dev.kindling.driver.plugin.KindlingPlugin")
        .hasMessageContaining("spark.dynamicAllocation.enabled: expected false")
        .hasMessageNotContaining("hidden");
  }

  @Test
  void anOpenClusterIsRefusedAsWithTrain() {
    assertThatThrownBy(require(running("spark://10.0.0.1:7077"), Map.of()))
        .hasMessageContaining("spark.authenticate=true");
    SparkConf closed = running("spark://10.0.0.1:7077");
    SparkSecurityTest.close(closed);
    assertThatCode(require(closed, Map.of())).doesNotThrowAnyException();
  }
}
