package dev.kindling.configs.yaml;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A configuration made up for the binder's tests: every kind of component once. */
record Cafe(
    String name,
    int seats,
    long visitsPerYear,
    float tipRatio,
    double latitude,
    boolean open,
    Roast roast,
    Duration brewTime,
    ByteSize menuBytes,
    Machine machine,
    Optional<String> slogan,
    List<String> drinks,
    List<Shift> shifts,
    Map<String, String> labels) {

  enum Roast {
    LIGHT,
    EXTRA_DARK
  }

  sealed interface Machine permits Espresso, FrenchPress {}

  record Espresso(int bars, boolean steam) implements Machine {
    static Map<String, Object> defaults() {
      return Map.of("steam", true);
    }
  }

  record FrenchPress(double liters) implements Machine {}

  record Shift(String barista, int hours) {}

  Cafe {
    List<String> wrong = new ArrayList<>();
    if (seats < 1) {
      wrong.add("seats: expected 1 or more, found " + seats);
    }
    if (visitsPerYear < seats) {
      wrong.add("visitsPerYear: expected at least seats = " + seats + ", found " + visitsPerYear);
    }
    if (machine instanceof Espresso espresso && espresso.bars() > 15) {
      wrong.add("machine.bars: expected 15 or less, found " + espresso.bars());
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", wrong));
    }
  }

  public static Map<String, Object> defaults() {
    return Map.ofEntries(
        Map.entry("visitsPerYear", 1000L),
        Map.entry("tipRatio", 0.1f),
        Map.entry("latitude", 52.5),
        Map.entry("open", true),
        Map.entry("roast", Roast.LIGHT),
        Map.entry("brewTime", Duration.ofSeconds(30)),
        Map.entry("menuBytes", new ByteSize(4096)),
        Map.entry("machine", new Espresso(9, true)),
        Map.entry("drinks", List.of()),
        Map.entry("shifts", List.of()),
        Map.entry("labels", Map.of()));
  }
}
