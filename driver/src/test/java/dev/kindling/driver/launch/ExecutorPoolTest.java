package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class ExecutorPoolTest {
  private final Map<String, String> executors = new TreeMap<>(Map.of("0", "a", "1", "b"));
  private final List<String> killed = new ArrayList<>();
  private final ExecutorPool pool =
      new ExecutorPool(
          new ExecutorPool.Cluster() {
            @Override
            public Map<String, String> executors() {
              return executors;
            }

            @Override
            public boolean killAndReplace(String executor) {
              return killed.add(executor);
            }
          });

  @Test
  void anExecutorThatIsGivenUpIsKilledOnceAndCountsNoMoreWhileItDies() {
    assertThat(pool.replace("1")).isTrue();
    assertThat(pool.replace("1")).isFalse();
    assertThat(killed).containsExactly("1");
    assertThat(pool.present()).isEqualTo(1);
    executors.put("2", "b");
    assertThat(pool.present()).isEqualTo(2);
  }

  @Test
  void anExcludedHostGetsNoRankUntilItIsTakenBack() {
    assertThat(pool.exclude("b")).isTrue();
    assertThat(pool.present()).isEqualTo(1);
    executors.remove("1");
    executors.put("2", "b");
    executors.put("3", "c");
    assertThat(pool.present()).isEqualTo(2);
    assertThat(killed).containsExactly("1", "2");
    assertThat(pool.readmit()).containsExactly("b");
    executors.put("4", "b");
    assertThat(pool.present()).isEqualTo(3);
  }

  @Test
  void theLastHostIsNeverExcluded() {
    assertThat(pool.exclude("a")).isTrue();
    assertThat(pool.exclude("b")).isFalse();
    assertThat(pool.present()).isEqualTo(1);
  }
}
