package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonReaderTest {
  private static Json read(String text) {
    return JsonReader.read(text.getBytes(StandardCharsets.UTF_8), "test.json");
  }

  @Test
  void everyKindOfValueSurvivesWriting() {
    String text =
        "{\"a\":[1,-2.5e+10,true,false,null,[],{}],\"b\":\"q\\\" \\\\ \\n \\u0001 \u00e9 \ud83d\ude00\",\"\":0}";
    assertThat(read(text).write()).isEqualTo(text);
    assertThat(read(" {\"\\u00e9\\ud83d\\ude00\" : \"\\/\" } ").write())
        .isEqualTo("{\"\u00e9\ud83d\ude00\":\"/\"}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "tru",
        "True",
        "nul",
        "\"",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "\"\\ud800\\u0041\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "1 2",
        "{} {}",
        "[]x",
        "// c\n1",
        "/* c */1",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "\ufeff1",
        "1,",
        "[1 2]",
        "{\"a\" 1}",
        "--1",
        "1-",
        "\u00a01"
      })
  void whatIsNotJsonIsRefusedWithFileAndByte(String text) {
    assertThatThrownBy(() -> read(text))
        .isInstanceOf(JsonException.class)
        .hasMessageStartingWith("test.json: byte ");
  }

  @Test
  void malformedUtf8IsRefused() {
    for (byte[] bad :
        List.of(
            new byte[] {(byte) 0xff},
            new byte[] {(byte) 0xc0, (byte) 0x80},
            new byte[] {(byte) 0xed, (byte) 0xa0, (byte) 0x80})) {
      byte[] text = new byte[bad.length + 2];
      text[0] = '"';
      System.arraycopy(bad, 0, text, 1, bad.length);
      text[text.length - 1] = '"';
      assertThatThrownBy(() -> JsonReader.read(text, "f"))
          .isInstanceOf(JsonException.class)
          .hasMessageContaining("UTF-8");
    }
  }

  @Test
  void limitsHold() {
    assertThat(read("[".repeat(64) + "]".repeat(64))).isNotNull();
    assertThatThrownBy(() -> read("[".repeat(65) + "]".repeat(65)))
        .hasMessageContaining("64 levels");
    assertThatThrownBy(() -> read("[".repeat(1_000_000))).hasMessageContaining("64 levels");
    assertThatThrownBy(() -> read("1".repeat(41))).hasMessageContaining("40 bytes");
    assertThatThrownBy(() -> read("\"" + "x".repeat((1 << 20) + 1) + "\""))
        .hasMessageContaining("string of at most");
    JsonReader.Limits few = new JsonReader.Limits(4, 10, 10, 3);
    assertThatThrownBy(() -> JsonReader.read("[1,2,3]".getBytes(StandardCharsets.UTF_8), "f", few))
        .hasMessageContaining("3 values");
  }

  @Test
  void foreignTextsMayBeLongAndHoldHalfACharacter() {
    JsonReader.Limits foreign = JsonReader.Limits.FOREIGN;
    byte[] half = "\"a\\ud83d\"".getBytes(StandardCharsets.UTF_8);
    assertThat(JsonReader.read(half, "f", foreign).asText("it")).isEqualTo("a\ud83d");
    assertThatThrownBy(() -> JsonReader.read(half, "f")).hasMessageContaining("lone surrogate");
    String longText = "x".repeat((1 << 20) + 1);
    byte[] json = ('"' + longText + '"').getBytes(StandardCharsets.UTF_8);
    assertThat(JsonReader.read(json, "f", foreign).asText("it")).isEqualTo(longText);
  }

  @Test
  void asciiLiteralsArePinnedByteForByte() {
    String text = "q\" \\ / \n \t \r \u0001 \u007f \u00e9 \ud83d\ude00";
    assertThat(Json.ascii(text))
        .isEqualTo("\"q\\\" \\\\ / \\n \\u0009 \\u000d \\u0001 \\u007f \\u00e9 \\ud83d\\ude00\"");
    assertThat(read(Json.ascii(text)).asText("it")).isEqualTo(text);
  }

  @Test
  void aMemberOfTheWrongKindIsNamed() {
    Json.Obj json =
        read("{\"n\":1.5,\"big\":99999999999999999999,\"s\":\"x\",\"e\":1e3}").asObject("it");
    assertThatThrownBy(() -> json.integer("n", 0, 9))
        .hasMessage("test.json: byte 5: n: expected an integer in [0, 9], found 1.5");
    assertThatThrownBy(() -> json.integer("big", 0, 9))
        .hasMessageContaining("found 99999999999999999999");
    assertThatThrownBy(() -> json.integer("e", 0, 9999)).hasMessageContaining("found 1e3");
    assertThatThrownBy(() -> json.integer("s", 0, 9))
        .hasMessageContaining("s: expected an integer, found text");
    assertThatThrownBy(() -> json.text("none")).hasMessageContaining("expected key none");
    assertThatThrownBy(() -> json.object("s"))
        .hasMessageContaining("expected an object, found text");
    assertThatThrownBy(() -> json.list("s")).hasMessageContaining("expected a list, found text");
  }

  @Test
  void mutantsAreReadOrRefusedAndNothingElse() {
    long seed = Long.getLong("seed", 20261122L);
    Random random = new Random(seed);
    byte[] whole =
        "{\"a\":[1,-2.5e+10,true,null],\"b\":{\"c\":\"x\\u00e9\\n\",\"d\":[]}}"
            .getBytes(StandardCharsets.UTF_8);
    int valid = 0;
    for (int i = 0; i < 50_000; i++) {
      byte[] mutant = whole.clone();
      for (int m = 0; m <= random.nextInt(3); m++) {
        mutant[random.nextInt(mutant.length)] = (byte) random.nextInt(256);
      }
      Throwable thrown = catchThrowable(() -> JsonReader.read(mutant, "m"));
      if (thrown == null) {
        valid++;
        Json first = JsonReader.read(mutant, "m");
        assertThat(JsonReader.read(first.bytes(), "m").write())
            .as("seed %d", seed)
            .isEqualTo(first.write());
      } else {
        assertThat(thrown).as("seed %d", seed).isInstanceOf(JsonException.class);
      }
    }
    assertThat(valid).isBetween(100, 45_000);
  }
}
