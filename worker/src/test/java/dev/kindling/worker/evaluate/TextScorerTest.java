package dev.kindling.worker.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.generate.LoadedModel;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A planted model: the letter after a letter is likely, anything else equally unlikely. */
class TextScorerTest {
  private static final int CONTEXT = 32;

  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final TextScorer scorer =
      new TextScorer(
          new LoadedModel<>(
              PlantedModel.of((before, token) -> token == before + 1 ? 4 : 0, CONTEXT, backend),
              Tokenizer.open(new Bytes()),
              Set.of(0),
              "a test",
              0));

  /** Logits are 4 for the right byte and 0 for 255 others. */
  private static final double SUM = Math.log(Math.exp(4) + 255);

  @AfterEach
  void close() {
    scorer.close();
    backend.close();
  }

  @Test
  void aTextCostsWhatItsTokensCost() {
    // The first byte follows the separator and is unlikely, the others are known.
    Loss loss = scorer.text("abcd");
    assertThat(loss.tokens()).isEqualTo(4);
    assertThat(loss.nats()).isEqualTo(4 * SUM - 3 * 4, within(1e-4));
    assertThat(scorer.text("")).isEqualTo(Loss.NONE);
  }

  @Test
  void aTextLongerThanTheContextIsReadInWindows() {
    Loss loss = scorer.text("ab".repeat(50));
    assertThat(loss.tokens()).isEqualTo(100);
    assertThat(loss.nats()).isEqualTo(100 * SUM - 50 * 4, within(1e-3));
  }

  @Test
  void aContinuationCostsWhatItsOwnTokensCost() {
    assertThat(scorer.continuation("abc", "de").mean()).isEqualTo(SUM - 4, within(1e-5));
    assertThat(scorer.continuation("", "de").mean()).isEqualTo(SUM - 2, within(1e-5));
    assertThat(scorer.continuation("x".repeat(100) + "abc", "de"))
        .isEqualTo(scorer.continuation("x".repeat(28) + "abc", "de"));
    assertThat(scorer.continuation("abc", "")).isEqualTo(Loss.NONE);
    // Windows of the continuation alone: one b follows the a, none another b.
    Loss loss = scorer.continuation("xa", "b".repeat(CONTEXT + 1));
    assertThat(loss.tokens()).isEqualTo(CONTEXT + 1);
    assertThat(loss.nats()).isEqualTo((CONTEXT + 1) * SUM - 4, within(1e-3));
  }
}
