package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.JsonException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ManifestTest {
  /** The bytes of format kindling-tokens-1: sets that exist must stay readable and equal. */
  private static final String TEXT =
      """
      {
        "format": "kindling-tokens-1",
        "fingerprint": "f0",
        "inputs_hash": "a1",
        "tokenizer_hash": "b2",
        "vocabulary_size": 257,
        "separator": 256,
        "token_bytes": 2,
        "sequence_length": 32,
        "mask_documents": true,
        "splits": {
          "train": {"sequences": 5, "tokens": 170, "documents": 3, "text_bytes": 167, "shards": [
            {"file": "train-00000.tokens", "sequences": 3, "sha256": "c3"},
            {"file": "train-00001.tokens", "sequences": 2, "sha256": "d4"}]},
          "validation": {"sequences": 0, "tokens": 0, "documents": 0, "text_bytes": 0, "shards": []}
        }
      }
      """;

  private static final Manifest MANIFEST =
      new Manifest(
          "f0",
          "a1",
          "b2",
          257,
          256,
          2,
          32,
          true,
          false,
          false,
          LeftOut.NONE,
          List.of(),
          Map.of(
              SplitName.TRAIN,
              new Manifest.Part(
                  5,
                  170,
                  3,
                  167,
                  List.of(
                      new Manifest.Shard("train-00000.tokens", 3, "c3"),
                      new Manifest.Shard("train-00001.tokens", 2, "d4"))),
              SplitName.VALIDATION,
              new Manifest.Part(0, 0, 0, 0, List.of())));

  private static final Manifest.Share FIVE = new Manifest.Share(1, 5);

  private static Manifest read(String text) {
    return Manifest.fromJson(text.getBytes(StandardCharsets.UTF_8), "manifest.json");
  }

  @Test
  void theBytesOfTheFileArePinned() {
    assertThat(MANIFEST.toJson()).isEqualTo(TEXT);
    assertThat(read(TEXT)).isEqualTo(MANIFEST);
  }

  @Test
  void setsOfExamplesHaveTheSecondFormatAndAFlagByteAToken() {
    Manifest examples =
        new Manifest(
            "f0",
            "a1",
            "b2",
            257,
            256,
            2,
            32,
            true,
            true,
            false,
            new LeftOut(1, 2, 3),
            List.of(),
            Map.of());
    assertThat(examples.toJson())
        .contains("\"format\": \"kindling-tokens-2\"")
        .contains("\"left_out\": {\"bad_lines\": 1, \"too_long\": 2, \"cut\": 3}");
    Manifest back = read(examples.toJson());
    assertThat(back.examples()).isTrue();
    assertThat(back.leftOut()).isEqualTo(examples.leftOut());
    assertThat(back.recordBytes()).isEqualTo(33 * 3 + 4);
    assertThat(MANIFEST.recordBytes()).isEqualTo(33 * 2 + 4);
    assertThatThrownBy(
            () -> read(examples.toJson().replace("documents\": true", "documents\": false")))
        .hasMessageContaining("mask_documents: expected true in a set of examples");
  }

  @Test
  void mixturesHaveTheThirdFormatAndTheirShares() {
    Manifest mixed =
        new Manifest(
            "f0",
            "a1",
            "b2",
            257,
            256,
            2,
            32,
            false,
            false,
            false,
            LeftOut.NONE,
            List.of(new Manifest.Share(0.7, 2), new Manifest.Share(3, 3)),
            MANIFEST.splits());
    assertThat(read(mixed.toJson())).isEqualTo(mixed);
    assertThat(mixed.toJson())
        .contains("\"format\": \"kindling-tokens-3\"", "{\"weight\": 0.7, \"sequences\": 2}");
    assertThatThrownBy(
            () -> read(mixed.toJson().replace("0.7, \"sequences\": 2", "0.7, \"sequences\": 4")))
        .hasMessageContaining("mixture: expected 5 sequences in its parts, found 7");
    assertThatThrownBy(() -> read(mixed.toJson().replace("\"weight\": 0.7", "\"weight\": 0")))
        .hasMessageContaining("weight: expected a number above 0");
  }

  @Test
  void theFourthFormatSaysInItsMembersWhatTheOthersAre() {
    for (List<Manifest.Share> shares : List.of(List.<Manifest.Share>of(), List.of(FIVE))) {
      for (boolean examples : new boolean[] {false, true}) {
        Manifest placed =
            new Manifest(
                "f0",
                "a1",
                "b2",
                257,
                256,
                2,
                32,
                true,
                examples,
                true,
                LeftOut.NONE,
                shares,
                MANIFEST.splits());
        assertThat(placed.toJson())
            .contains("\"format\": \"kindling-tokens-4\"", "\"examples\": " + examples);
        assertThat(read(placed.toJson())).isEqualTo(placed);
      }
    }
  }

  @Test
  void whatIsWrongIsNamedWithItsPlace() {
    expectFault("kindling-tokens-1", "kindling-tokens-9", "format: expected kindling-tokens-1");
    expectFault("\"separator\": 256", "\"separator\": -1", "separator: expected an integer in [0");
    expectFault("\"separator\": 256,", "", "expected key separator, found none");
    expectFault("\"token_bytes\": 2", "\"token_bytes\": 4", "token_bytes: expected 2, found 4");
    expectFault("length\": 32", "length\": 0", "sequence_length: expected 1 or more");
    expectFault("\"mask_documents\": true", "\"mask_documents\": 1", "expected true or false");
    expectFault("\"sequences\": 5", "\"sequences\": 6", "sequences: expected 5, the sum");
    expectFault("train-00001.tokens", "../00001.tokens", "file: expected the name of a shard");
    expectFault("\"shards\": []", "\"shards\": {}", "shards: expected a list, found obj");
    expectFault(
        "\"validation\": {", "\"validation\": 3, \"x\": {", "validation: expected an object");
  }

  private static void expectFault(String from, String to, String message) {
    assertThat(TEXT).contains(from);
    assertThatThrownBy(() -> read(TEXT.replace(from, to)))
        .isInstanceOf(JsonException.class)
        .hasMessageMatching("manifest.json: byte [0-9]+: (?s).*")
        .hasMessageContaining(message);
  }
}
