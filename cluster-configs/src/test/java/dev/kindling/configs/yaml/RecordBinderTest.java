package dev.kindling.configs.yaml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RecordBinderTest {
  private static Bound<Cafe> bind(String yaml, String... sets) {
    return RecordBinder.bind(
        ConfigDocument.parse(yaml, "cafe.yaml").with(List.of(sets)), Cafe.class);
  }

  private static String refused(String yaml, String... sets) {
    try {
      bind(yaml, sets);
    } catch (ConfigException e) {
      return String.valueOf(e.getMessage());
    }
    throw new AssertionError("expected a refusal of:\n" + yaml);
  }

  /** A number that the program chooses where nobody does. */
  record Dose(Optional<Double> sugar) {}

  @Test
  void aNumberMayBeLeftToTheProgram() {
    for (String open : List.of("sugar: auto", "sugar: null", "{}")) {
      assertThat(RecordBinder.bind(ConfigDocument.parse(open, "dose.yaml"), Dose.class).value())
          .isEqualTo(new Dose(Optional.empty()));
    }
  }

  @Test
  void bindsEveryKindOfComponent() {
    Cafe cafe =
        bind("""
            name: Ada
            seats: 1_2
            visits_per_year: 4000000000
            tip_ratio: 1e-1
            open: false
            roast: extra-dark
            brew_time: 5m
            menu_bytes: 64MiB
            machine: {type: french_press, liters: 0.35}
            slogan: "yes: 'we' brew"
            drinks: [tea, 7]
            shifts:
              - barista: Bo
                hours: 4
            labels: {a.b: true, c: {d: 2}}
            """)
            .value();
    assertThat(cafe)
        .isEqualTo(
            new Cafe(
                "Ada",
                12,
                4_000_000_000L,
                0.1f,
                52.5,
                false,
                Cafe.Roast.EXTRA_DARK,
                Duration.ofMinutes(5),
                new ByteSize(64L << 20),
                new Cafe.FrenchPress(0.35),
                Optional.of("yes: 'we' brew"),
                List.of("tea", "7"),
                List.of(new Cafe.Shift("Bo", 4)),
                Map.of("a.b", "true", "c.d", "2")));
  }

  @Test
  void reportsEveryErrorAtOnceInSourceOrder() {
    String message =
        refused(
            """
            nam: Ada
            seats: 0
            visits_per_year: abc
            roast: lihgt
            open: yes
            brew_time: 5 minutes
            menu_bytes: 5MB
            machine:
              type: espreso
              bars: 9
            drinks: tea
            shifts:
              - hours: four
            seats: 3
            bars: 9
            """,
            "machine.bar=3",
            "tip_ratio=lots");
    assertThat(message)
        .isEqualTo(
            """
            cafe.yaml:1:1 nam: unknown key "nam" (did you mean "name"?)
            cafe.yaml:1:1 name: missing required key
            cafe.yaml:2:8 seats: expected 1 or more, found 0
            cafe.yaml:3:18 visits_per_year: expected integer, found "abc"
            cafe.yaml:4:8 roast: expected one of light, extra_dark, found "lihgt" (did you mean "light"?)
            cafe.yaml:5:7 open: expected true or false, found "yes"
            cafe.yaml:6:12 brew_time: expected duration such as 30s or 5m, found "5 minutes"
            cafe.yaml:7:13 menu_bytes: expected byte count such as 4096 or 64MiB, found "5MB"
            cafe.yaml:9:9 machine.type: expected one of espresso, french_press, found "espreso" (did you mean "espresso"?)
            cafe.yaml:11:9 drinks: expected a list, found "tea"
            cafe.yaml:13:5 shifts.0.barista: missing required key
            cafe.yaml:13:12 shifts.0.hours: expected integer, found "four"
            cafe.yaml:14:1 seats: duplicate key (first at line 2)
            cafe.yaml:15:1 bars: unknown key "bars" (did you mean "machine.bars"?)
            --set:2:11 tip_ratio: expected number, found "lots\"""");
  }

  @Test
  void unknownPathOfAnAssignmentHasThePositionOfTheAssignment() {
    assertThat(refused("name: A\nseats: 1\n", "open=true", "machine.barrs=8"))
        .isEqualTo("--set:2:9 machine.barrs: unknown key \"barrs\" (did you mean \"bars\"?)");
    assertThat(refused("name: A\nseats: 1\n", "zebra=8"))
        .startsWith("--set:1:1 zebra: unknown key \"zebra\"; known here: name, seats,");
    assertThat(refused("name: A\nseats: 1\n", "seats"))
        .isEqualTo("--set:1:1 expected path=value, found \"seats\"");
    assertThat(refused("name: A\nseats: 1\n", "drinks=[a"))
        .startsWith("--set:1:10 YAML syntax error");
    assertThat(refused("name: A\nseats: 1\ndrinks: [a]\n", "drinks.1=b"))
        .isEqualTo("--set:1:8 drinks.1: expected a list index below 1, found \"1\"");
  }

  @Test
  void crossFieldLineLandsOnTheKeyItNames() {
    assertThat(refused("name: A\nseats: 5\nvisits_per_year: 3\nmachine: {bars: 20}\n"))
        .isEqualTo(
            """
            cafe.yaml:3:18 visits_per_year: expected at least seats = 5, found 3
            cafe.yaml:4:17 machine.bars: expected 15 or less, found 20""");
    assertThat(refused("name: A\nseats: 5000\n"))
        .isEqualTo("cafe.yaml:1:1 visits_per_year: expected at least seats = 5000, found 1000");
  }

  @Test
  void anErrorBesideABrokenValueIsNotInvented() {
    // seats is wrong, so the rule that compares visits_per_year with it must stay silent.
    assertThat(refused("name: A\nseats: many\nvisits_per_year: 0\n"))
        .isEqualTo("cafe.yaml:2:8 seats: expected integer, found \"many\"");
  }

  @Test
  void partOfASectionKeepsTheRestOfTheEnclosingDefault() {
    Bound<Cafe> bound = bind("name: A\nseats: 2\nmachine: {steam: false}\n", "tip_ratio=0.2");
    assertThat(bound.value().machine()).isEqualTo(new Cafe.Espresso(9, false));
    assertThat(bound.origins().get("machine.steam")).hasToString("cafe.yaml:3");
    assertThat(bound.origins().get("machine.bars")).hasToString("default");
    assertThat(bound.origins().get("tip_ratio")).hasToString("--set");
    // Another type starts from its own defaults.
    assertThat(refused("name: A\nseats: 2\n", "machine={type: french-press}"))
        .isEqualTo("--set:1:9 machine.liters: missing required key");
  }

  @Test
  void assignmentsOverlayInOrder() {
    Cafe cafe =
        bind(
                "name: A\nseats: 2\ndrinks: [tea, milk]\nlabels:\n  a.b: 1\n",
                "seats=3",
                "seats=4",
                "drinks.1=water",
                "labels.a.b=2",
                "labels.\"x.y\"=3",
                "machine.bars=7",
                "slogan=null",
                "shifts=[{barista: Bo, hours: 1}]")
            .value();
    assertThat(cafe.seats()).isEqualTo(4);
    assertThat(cafe.drinks()).containsExactly("tea", "water");
    assertThat(cafe.labels()).isEqualTo(Map.of("a.b", "2", "x.y", "3"));
    assertThat(cafe.machine()).isEqualTo(new Cafe.Espresso(7, true));
    assertThat(cafe.slogan()).isEmpty();
    assertThat(cafe.shifts()).containsExactly(new Cafe.Shift("Bo", 1));
  }

  @Test
  void refusesWhatIsNotOneSmallYamlDocument() {
    assertThat(refused("name: [A\nseats: 2\n")).startsWith("cafe.yaml:2:6 YAML syntax error");
    assertThat(refused("name: A\n\tseats: 2\n")).startsWith("cafe.yaml:2:1 YAML syntax error");
    assertThat(refused("name: A\nseats: \"\\x")).startsWith("cafe.yaml:2:").contains("YAML syntax");
    assertThat(refused("a: 1\n---\nb: 2\n"))
        .isEqualTo("cafe.yaml:2:1 expected one YAML document, found a second one");
    assertThat(refused("name: !!java.net.URL x\n")).contains("tags are not supported");
    assertThat(refused("[a, b]")).startsWith("cafe.yaml:1:1 expected a mapping with keys name,");
    assertThat(refused("")).contains("name: missing required key").contains("seats: missing");
    assertThat(refused("[".repeat(200) + "]".repeat(200))).contains("nested deeper than 32 levels");
    assertThat(refused("a: &a [x]\nb: *b\n")).contains("alias *b names no earlier anchor");
    assertThat(refused("a: &a [*a]\n")).contains("alias *a names no earlier anchor");
  }

  @Test
  void refusesAliasBombsBeforeExpandingThem() {
    StringBuilder bomb = new StringBuilder("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) {
      String alias = "*l" + (i - 1);
      bomb.append("l" + i + ": &l" + i + " [" + (alias + ", ").repeat(9) + alias + "]\n");
    }
    assertThat(refused(bomb.toString())).contains("more than 20000 values after expanding aliases");
  }

  @Test
  void missingAndNonUtf8FilesAreConfigurationErrors(
      @org.junit.jupiter.api.io.TempDir java.nio.file.Path dir) throws java.io.IOException {
    var missing = dir.resolve("none.yaml");
    assertThat(catchThrowableOfType(ConfigException.class, () -> ConfigDocument.read(missing)))
        .hasMessage(missing + ":1:1 no such file");
    var latin = java.nio.file.Files.write(dir.resolve("l.yaml"), new byte[] {'a', (byte) 0xe4});
    assertThat(catchThrowableOfType(ConfigException.class, () -> ConfigDocument.read(latin)))
        .hasMessage(latin + ":1:1 not UTF-8 text");
  }
}
