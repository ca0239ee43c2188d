package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.plan.GuardSpec;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class SpikeGuardTest {
  private static final GuardSpec SPEC = new GuardSpec(0, 6.0, 3, 50, 3);

  private final Random random = new Random(3);

  private float loss(long step) {
    return (float) (2 + 3 * Math.exp(-step / 50.0) + 0.03 * random.nextGaussian());
  }

  private float norm() {
    return (float) (1 + 0.15 * random.nextGaussian());
  }

  private static long firstSpike(SpikeGuard guard, long from, float[] losses, float[] norms) {
    for (int i = 0; i < losses.length; i++) {
      if (guard.observe(from + i, losses[i], norms[i])) {
        return from + i;
      }
    }
    return 0;
  }

  private SpikeGuard warm(long steps) {
    SpikeGuard guard = SpikeGuard.begin(SPEC);
    for (long step = 1; step <= steps; step++) {
      assertThat(guard.observe(step, loss(step), norm())).as("step " + step).isFalse();
    }
    return guard;
  }

  @Test
  void threeStepsInARowOfHighLossAndGradientAreASpike() {
    SpikeGuard guard = warm(400);
    float[] high = {4f, 5f, 5f};
    assertThat(firstSpike(guard, 401, high, new float[] {9f, 20f, 15f})).isEqualTo(403);
    assertThat(guard.firstStep()).isEqualTo(401);
    assertThat(guard.describe(5f, 15f)).contains("loss 5.0000 (z ").contains("15.0000 (z ");
  }

  @Test
  void twoStepsOrOneOfTheTwoNumbersAreNone() {
    SpikeGuard guard = warm(400);
    assertThat(firstSpike(guard, 401, new float[] {5, 5, 2, 5, 5}, new float[] {9, 9, 1, 9, 9}))
        .isZero();
    guard = warm(400);
    assertThat(firstSpike(guard, 401, new float[] {5, 5, 5}, new float[] {1, 1, 1})).isZero();
    guard = warm(400);
    assertThat(firstSpike(guard, 401, new float[] {2, 2, 2}, new float[] {9, 9, 9})).isZero();
  }

  @Test
  void nothingSpikesInTheWarmup() {
    SpikeGuard guard = warm(45);
    assertThat(firstSpike(guard, 46, new float[] {9, 9, 9, 9}, new float[] {9, 9, 9, 9})).isZero();
  }

  @Test
  void aLongTrainingWithNoiseHasNoSpike() {
    warm(20_000);
  }

  @Test
  void zeroTurnsItOff() {
    SpikeGuard guard = SpikeGuard.begin(new GuardSpec(0, 0.0, 1, 2, 3));
    Map<String, String> guards = new TreeMap<>();
    guard.putInto(guards);
    assertThat(guards).isEmpty();
    for (int step = 1; step < 100; step++) {
      assertThat(guard.observe(step, step < 90 ? 1f : 1000f, step < 90 ? 1f : 1000f)).isFalse();
    }
  }

  @Test
  void aRestoredGuardDecidesAsTheOneThatWasSaved() {
    SpikeGuard guard = warm(300);
    assertThat(guard.observe(301, 5f, 9f)).isFalse();
    Map<String, String> guards = new TreeMap<>();
    guard.putInto(guards);
    SpikeGuard restored = SpikeGuard.restore(SPEC, guards);
    Map<String, String> again = new TreeMap<>();
    restored.putInto(again);
    assertThat(again).isEqualTo(guards);
    float[] high = {5f, 5f};
    assertThat(firstSpike(restored, 302, high, new float[] {9f, 9f})).isEqualTo(303);
    assertThat(restored.firstStep()).isEqualTo(301);
    guard.putInto(guards);
    firstSpike(guard, 302, high, new float[] {9f, 9f});
    guard.putInto(guards);
    restored.putInto(again);
    assertThat(again).isEqualTo(guards);
  }
}
