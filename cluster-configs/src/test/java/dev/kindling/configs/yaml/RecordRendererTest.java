package dev.kindling.configs.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RecordRendererTest {
  private static Cafe reread(Cafe cafe) {
    return RecordBinder.bind(
            ConfigDocument.parse(RecordRenderer.render(cafe), "again.yaml"), Cafe.class)
        .value();
  }

  @Test
  void rendersOneReadableText() {
    Cafe cafe =
        new Cafe(
            "Ada & Co",
            12,
            20,
            0.1f,
            -0.0,
            false,
            Cafe.Roast.EXTRA_DARK,
            Duration.ofMinutes(5),
            new ByteSize(3 << 20),
            new Cafe.Espresso(9, true),
            Optional.empty(),
            List.of("tea", "true", "7"),
            List.of(new Cafe.Shift("Bo", 4)),
            Map.of("a.b", "x y"));
    assertThat(RecordRenderer.render(cafe))
        .isEqualTo(
            """
            name: "Ada & Co"
            seats: 12
            visits_per_year: 20
            tip_ratio: 0.1
            latitude: -0.0
            open: false
            roast: extra_dark
            brew_time: 5m
            menu_bytes: 3MiB
            machine:
              type: espresso
              bars: 9
              steam: true
            drinks: [tea, "true", "7"]
            shifts:
              - barista: Bo
                hours: 4
            labels: {a.b: "x y"}
            """);
    assertThat(reread(cafe)).isEqualTo(cafe);
  }

  @Test
  void whatIsRenderedBindsToAnEqualTree() {
    long seed = 20261122;
    Random random = new Random(seed);
    for (int i = 0; i < 500; i++) {
      Cafe cafe = cafe(random);
      assertThat(reread(cafe))
          .as("seed %d, case %d:%n%s", seed, i, RecordRenderer.render(cafe))
          .isEqualTo(cafe);
    }
  }

  private static Cafe cafe(Random random) {
    int seats = 1 + random.nextInt(1000);
    List<String> drinks = new ArrayList<>();
    List<Cafe.Shift> shifts = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      drinks.add(text(random));
      shifts.add(new Cafe.Shift(text(random), random.nextInt()));
    }
    return new Cafe(
        text(random),
        seats,
        seats + (random.nextLong() >>> 2),
        Float.intBitsToFloat(random.nextInt() & 0xff7fffff),
        random.nextInt(9) == 0 ? Double.POSITIVE_INFINITY : random.nextGaussian() * 1e-30,
        random.nextBoolean(),
        Cafe.Roast.values()[random.nextInt(2)],
        Duration.ofNanos(random.nextLong() >>> (1 + random.nextInt(60))),
        new ByteSize(random.nextLong() >>> (1 + random.nextInt(60))),
        random.nextBoolean()
            ? new Cafe.Espresso(random.nextInt(16), random.nextBoolean())
            : new Cafe.FrenchPress(random.nextDouble()),
        random.nextBoolean() ? Optional.of(text(random)) : Optional.empty(),
        drinks,
        shifts,
        Map.of("k" + text(random), text(random)));
  }

  private static String text(Random random) {
    String alphabet = "abcz.:#-_ \"'\\\n\t{}[],&*!|>%@`~0159\u00e4\u20ac\ud83d\ude00/=?";
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(12); i > 0; i--) {
      text.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return random.nextInt(8) == 0 ? "null" : text.toString();
  }
}
