package dev.kindling.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.Text;
import dev.kindling.worker.data.TokenShards;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OrderThreeTest {
  private static final long SEED = Long.getLong("seed", 5L);

  @TempDir Path folder;

  @Test
  void probabilitiesSumToOne() {
    OrderThreeByteModel model = new OrderThreeByteModel();
    Random random = new Random(SEED);
    int history = 0;
    for (int k = 0; k < 20_000; k++) {
      int next = random.nextInt(5) + (random.nextInt(10) == 0 ? 200 : 0);
      model.learn(history, next);
      history = (history << 8 | next) & 0xffffff;
    }
    for (int context : new int[] {0, history, 0x010203, 0xfffefd, 0x04c801}) {
      double sum = 0;
      for (int next = 0; next < 256; next++) {
        assertThat(model.probability(context, next)).isPositive();
        sum += model.probability(context, next);
      }
      assertThat(sum).as("seed %d", SEED).isCloseTo(1, within(1e-12));
    }
  }

  @Test
  void countsGiveWittenBellsFigures() {
    OrderThreeByteModel model = new OrderThreeByteModel();
    model.learn(0x010203, 7);
    double order0 = (1 + 1.0 / 256) / 2;
    double order1 = (1 + order0) / 2;
    double order2 = (1 + order1) / 2;
    double order3 = (1 + order2) / 2;
    assertThat(model.probability(0x010203, 7)).isCloseTo(order3, within(1e-15));
    assertThat(model.probability(0x090203, 7)).isCloseTo(order2, within(1e-15));
    assertThat(model.probability(0x090909, 8)).isCloseTo(1.0 / 512, within(1e-15));
  }

  @Test
  void randomLettersCostTheirEntropy() throws IOException {
    Random random = new Random(SEED);
    TokenShards shards =
        Preparation.prepare(
            new Text(
                List.of(letters("train", 400_000, random)),
                List.of(letters("validation", 50_000, random)),
                0,
                false),
            new Bytes(),
            128,
            folder.resolve("set"));
    // Four equal letters: ln 4 = 1.3863, and a little for what is not known yet.
    long all = shards.part(SplitName.TRAIN).sequences();
    double whole = OrderThree.validationNats(shards, all, SEED);
    assertThat(whole).isBetween(1.380, 1.395);
    assertThat(OrderThree.validationNats(shards, all / 100, SEED)).isGreaterThan(whole + 0.01);
  }

  private String letters(String name, int count, Random random) throws IOException {
    byte[] text = new byte[count];
    for (int k = 0; k < count; k++) {
      text[k] = (byte) ('a' + random.nextInt(4));
    }
    return Files.write(folder.resolve(name), text).toString();
  }
}
