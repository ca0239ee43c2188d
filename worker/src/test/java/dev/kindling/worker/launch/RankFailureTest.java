package dev.kindling.worker.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.worker.data.DataException;
import java.util.List;
import org.junit.jupiter.api.Test;

class RankFailureTest {
  @Test
  void survivesBeingBuriedInOtherText() {
    RankFailure failure = RankFailure.of(3, new DataException("a.txt: found NUL\nat byte 7"));
    String buried = "Job aborted: task 0.0 failed: java.lang.X: " + failure.encode() + "\n at y";
    assertThat(RankFailure.decode(buried)).contains(failure);
    assertThat(failure.kind()).isEqualTo(FailureKind.DATA);
  }

  @Test
  void otherTextIsNoFailure() {
    assertThat(RankFailure.decode("nothing here")).isEmpty();
    assertThat(RankFailure.decode("<<kindling-failure data x y kindling-failure>>")).isEmpty();
    assertThat(RankFailure.decode("<<kindling-failure data 1 999 short kindling-failure>>"))
        .isEmpty();
  }

  @Test
  void aTokenIdThatNoTableHasIsAFaultOfTheData() {
    RankFailure failure = RankFailure.of(0, new InputException("token id at position 3", 50, 60));
    assertThat(failure.kind()).isEqualTo(FailureKind.DATA);
    assertThat(failure.message()).isEqualTo("token id at position 3: expected 0 to 49, found 60");
  }

  @Test
  void thePeerThatOnlyNoticedTheLossIsNotTheOneToShow() {
    RankFailure noticed = RankFailure.of(0, new CollectiveException("rank 1 is gone"));
    RankFailure cause = RankFailure.of(1, new DataException("broken"));
    assertThat(RankFailure.mostTelling(List.of(noticed, cause))).contains(cause);
    RankFailure lost = new RankFailure(FailureKind.LOST_WORKER, 2, "exit code 137", "");
    assertThat(RankFailure.mostTelling(List.of(noticed, lost))).contains(lost);
  }
}
