package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.Validated;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ProgressTest {
  @ParameterizedTest
  @EnumSource
  void aFailedSaveIsSaidInEveryStyleWhicheverRankTellsIt(Progress.Style style) {
    StringWriter text = new StringWriter();
    Progress progress = new Progress(new PrintWriter(text), style, 10);
    for (int rank = 0; rank < 2; rank++) {
      progress.emit(
          new CheckpointSaved(rank, 4 + rank, "", 100, 1.5, 0.5, "rank 1: no space left"));
    }
    progress.emit(new CheckpointSaved(0, 6, "e0000000001-s000000000006", 100, 1.5, 0.5, ""));
    assertThat(text.toString().lines())
        .containsExactly(
            "step 4: no checkpoint: rank 1: no space left",
            "step 5: no checkpoint: rank 1: no space left");
  }

  @Test
  void aValidationShowsWhatWasMeasured() {
    StringWriter text = new StringWriter();
    Progress progress = new Progress(new PrintWriter(text), Progress.Style.PLAIN, 10);
    progress.emit(new Validated(0, 2, 1.5f, 64));
    progress.emit(new Validated(0, 4, 1.25f, 64, 0.625f));
    progress.emit(new Validated(0, 6, Float.NaN, 0, 0.75f));
    assertThat(text.toString().lines())
        .containsExactly(
            "step 2  val_loss 1.5000",
            "step 4  val_loss 1.2500  accuracy 0.6250",
            "step 6  accuracy 0.7500");
  }
}
