package dev.kindling.kernels.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CudnnHandleTest {
  @ParameterizedTest
  @ValueSource(longs = {90_100, 90_900, 91_002, 91_400, 91_900})
  void takes_versions_with_working_attention(long version) {
    assertThat(CudnnHandle.refusal(version)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {8_907, 90_000, 91_000, 91_001, 100_000})
  void refuses_the_others(long version) {
    assertThat(CudnnHandle.refusal(version)).isPresent();
  }
}
