package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a commit declares about its own format. */
class ManifestTest {
  private static final String FOLDER = "data/e0000000003/s000000000009-3f9a";
  private static final FileHash HASH = hash("twelve bytes");

  private static FileHash hash(String content) {
    Hashing hashing = new Hashing(FileHash.BLOCK_BYTES);
    hashing.update(StandardCharsets.UTF_8.encode(content));
    return hashing.finish();
  }

  /** A commit of two ranks, each with so many parts of a kind. */
  private static Manifest manifest(int modelEach, int optimizerEach) {
    List<PartDescriptor> parts = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      int each = kind == PartKind.MODEL ? modelEach : optimizerEach;
      for (int number = 1; number <= 2 * each; number++) {
        StoredTensor tensor =
            new StoredTensor("t" + number, SafetensorsType.F32, List.of(3L), 80, 12, HASH.sha256());
        parts.add(
            new PartDescriptor(
                FOLDER,
                Layout.partFile(kind, number, 2 * each),
                kind,
                (number - 1) / each,
                2,
                HASH,
                List.of(tensor)));
      }
    }
    List<StoredFile> files =
        List.of(new StoredFile(Layout.STATE, HASH), new StoredFile(Layout.INDEX, HASH));
    return new Manifest(
        "0f", 3, 9, "parent", 2, TinyRun.FACTS, FOLDER, parts, files, HASH.sha256());
  }

  private static List<String> critical(Manifest manifest) {
    byte[] body = SealedText.open(manifest.bytes(), "commit");
    return JsonReader.read(body, "commit").asObject("commit").texts("critical");
  }

  @Test
  void onePartOfEachRankIsTheFirstFormatToTheByte() {
    Manifest manifest = manifest(1, 1);
    assertThat(critical(manifest)).isEmpty();
    assertThat(Hashing.sha256(manifest.bytes()))
        .as("hash of the text of old")
        .isEqualTo("c5a2630707950a552d482a9e366827a01343dbd38d3cd80c48ff4f2d05844028");
    assertThat(Manifest.read(manifest.bytes(), "commit")).isEqualTo(manifest);
  }

  @Test
  void moreOrFewerPartsThanRanksAreDeclaredForOlderReaders() {
    for (Manifest manifest : List.of(manifest(2, 2), manifest(2, 1), manifest(1, 3))) {
      assertThat(critical(manifest)).containsExactly("parts-per-rank");
      assertThat(Manifest.read(manifest.bytes(), "commit")).isEqualTo(manifest);
    }
  }

  @Test
  void whatThisVersionDoesNotKnowIsRefusedByItsName() {
    String text =
        new String(SealedText.open(manifest(1, 1).bytes(), "commit"), StandardCharsets.UTF_8);
    String later = text.replace("\"critical\":[]", "\"critical\":[\"parts-per-rank\",\"later\"]");
    Json.Obj json =
        JsonReader.read(later.getBytes(StandardCharsets.UTF_8), "commit").asObject("commit");
    assertThatThrownBy(() -> Manifest.read(SealedText.seal(json.bytes()), "commit"))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("critical feature \"later\" is unknown to this version");
  }
}
