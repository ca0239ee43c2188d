package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.ring.Tuning;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RingConnectorTest {
  @Test
  void ranksOfAHostShareMemoryUnlessToldNotTo() {
    assertThat(RingConnector.tuning(Map.of())).isEqualTo(Tuning.defaults());
    assertThat(RingConnector.tuning(Map.of("KINDLING_SHM_DISABLE", "0")))
        .isEqualTo(Tuning.defaults());
    Tuning apart = RingConnector.tuning(Map.of("KINDLING_SHM_DISABLE", "1"));
    assertThat(apart.sharedBytes()).isZero();
    assertThat(apart.windowBytes()).isEqualTo(Tuning.defaults().windowBytes());
  }
}
