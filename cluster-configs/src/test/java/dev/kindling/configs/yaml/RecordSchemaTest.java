package dev.kindling.configs.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RecordSchemaTest {
  enum Colour {
    RED,
    DARK_BLUE
  }

  sealed interface Shape permits Dot, Circle {}

  record Dot() implements Shape {}

  record Circle(double radius) implements Shape {}

  record Root(String name, Shape shape, Optional<ByteSize> limit, List<Colour> colours) {
    public static Map<String, Object> defaults() {
      return Map.of("shape", new Circle(0.5));
    }
  }

  private static String schema() {
    return RecordSchema.of(
        Root.class,
        "Test",
        (record, component) -> component.equals("name") ? "what it is \"called\"" : "");
  }

  @Test
  void keysWithoutADefaultAreRequiredAndOthersAreUnknown() {
    assertThat(schema())
        .contains("\"required\": [\"name\", \"colours\"]")
        .contains("\"additionalProperties\": false")
        .contains("\"description\": \"what it is \\\"called\\\"\"");
  }

  @Test
  void theVariantThatIsTheDefaultNeedsNoTypeAndShowsItsValues() {
    assertThat(schema())
        .contains(
            "\"properties\": {\"type\": {\"const\": \"dot\"}},\n"
                + "          \"required\": [\"type\"]")
        .contains("\"default\": 0.5")
        .doesNotContain("\"required\": [\"type\", \"radius\"]");
  }

  @Test
  void wordsAndUnitsAreOffered() {
    assertThat(schema()).contains("{\"enum\": [\"red\", \"dark_blue\"]}").contains("KiB|MiB|GiB");
  }

  @Test
  void theSameRecordsGiveTheSameText() {
    assertThat(schema()).isEqualTo(schema()).endsWith("}\n");
  }
}
