package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.BuildFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PreparationTest {
  @TempDir Path folder;
  private Path texts;

  @BeforeEach
  void write() throws IOException {
    texts = Files.createDirectory(folder.resolve("texts"));
    Files.writeString(texts.resolve("b.txt"), "second document, h\u00e9llo\n");
    Files.writeString(texts.resolve("a.txt"), "first document\n");
    Files.createDirectories(texts.resolve("sub"));
    Files.writeString(texts.resolve("sub/c.txt"), "third\n");
    Files.writeString(texts.resolve(".hidden"), "not read");
  }

  private Text spec() {
    return new Text(List.of(texts.toString()), List.of(), 0, false);
  }

  private static String stream(TokenShards shards, SplitName split) {
    List<Integer> ids = new ArrayList<>();
    int length = shards.manifest().sequenceLength();
    int[] record = new int[length + 1];
    try (SequenceReader reader = SequenceReader.open(shards, split)) {
      for (long k = 0; k < reader.sequences(); k++) {
        reader.read(k, record);
        if (k > 0) {
          assertThat(record[0]).isEqualTo(ids.get(ids.size() - 1));
        }
        for (int i = k == 0 ? 0 : 1; i <= length; i++) {
          ids.add(record[i]);
        }
      }
    }
    return new ByteTokenizer().decode(ids.stream().mapToInt(Integer::intValue).toArray());
  }

  @Test
  void documentsAreJoinedInTheOrderOfTheirNamesAndTheTailIsDropped() {
    TokenShards shards = Preparation.prepare(spec(), new Bytes(), 4, folder.resolve("set"));
    String whole = "first document\n\0second document, h\u00e9llo\n\0third\n\0";
    byte[] bytes = whole.getBytes(StandardCharsets.UTF_8);
    int kept = (bytes.length - 1) / 4 * 4 + 1;
    assertThat(stream(shards, SplitName.TRAIN))
        .isEqualTo(new String(bytes, 0, kept, StandardCharsets.UTF_8));
    assertThat(shards.manifest().vocabularySize()).isEqualTo(256);
    assertThat(shards.part(SplitName.TRAIN).documents()).isEqualTo(3);
    assertThat(shards.part(SplitName.TRAIN).tokens()).isEqualTo(bytes.length);
    shards.verify();
  }

  @Test
  void shardsAreCutAtTheSameStreamWhateverTheirSize() {
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    TokenShards small =
        Preparation.prepare(spec(), new Bytes(), 3, f -> folder.resolve("small"), 7, pool);
    TokenShards large = Preparation.prepare(spec(), new Bytes(), 3, folder.resolve("large"));
    assertThat(small.part(SplitName.TRAIN).shards().size()).isGreaterThan(3);
    assertThat(stream(small, SplitName.TRAIN)).isEqualTo(stream(large, SplitName.TRAIN));
  }

  @Test
  void sameInputsAreNotPreparedAgain() throws IOException {
    Path set = folder.resolve("set");
    Preparation.prepare(spec(), new Bytes(), 4, set);
    Path manifest = set.resolve(TokenShards.MANIFEST);
    Object key =
        Files.readAttributes(manifest, java.nio.file.attribute.BasicFileAttributes.class).fileKey();
    Preparation.prepare(spec(), new Bytes(), 4, set);
    assertThat(
            Files.readAttributes(manifest, java.nio.file.attribute.BasicFileAttributes.class)
                .fileKey())
        .isEqualTo(key);
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left.map(p -> p.getFileName().toString()))
          .containsExactlyInAnyOrder("texts", "set");
    }
  }

  @Test
  void leftoversOfKilledBuildersGoAndBuildsAtWorkStay() throws IOException {
    Path set = folder.resolve("set");
    Path dead = folder.resolve("set.building-00000000-0000-0000-0000-000000000000");
    Files.createDirectories(dead.resolve("parts"));
    Files.writeString(dead.resolve("parts/0"), "half");
    Files.writeString(folder.resolve(dead.getFileName() + ".lock"), "pid 1");
    Path other = Files.createDirectory(folder.resolve("set.building-by-hand"));
    try (BuildFolder atWork = BuildFolder.beside(set)) {
      Preparation.prepare(spec(), new Bytes(), 4, set);
      assertThat(atWork.path()).exists();
      assertThat(other).exists();
      try (Stream<Path> left = Files.list(folder)) {
        assertThat(left.map(p -> String.valueOf(p.getFileName())))
            .containsExactlyInAnyOrder(
                "texts",
                "set",
                "set.building-by-hand",
                atWork.path().getFileName().toString(),
                atWork.path().getFileName() + ".lock");
      }
    }
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).hasSize(3);
    }
  }

  @Test
  void changedInputsAreRefusedWithBothHashes() throws IOException {
    Path set = folder.resolve("set");
    String before = Preparation.prepare(spec(), new Bytes(), 4, set).manifest().inputsHash();
    Files.writeString(texts.resolve("a.txt"), "first document!\n");
    assertThatThrownBy(() -> Preparation.prepare(spec(), new Bytes(), 4, set))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("changed inputs")
        .hasMessageContaining(before)
        .hasMessageMatching("(?s).*now [0-9a-f]{64}.*");
  }

  @Test
  void changedSettingsAreRefused() {
    Path set = folder.resolve("set");
    Preparation.prepare(spec(), new Bytes(), 4, set);
    Text masked = new Text(spec().paths(), List.of(), 0, true);
    assertThatThrownBy(() -> Preparation.prepare(masked, new Bytes(), 4, set))
        .hasMessageContaining("changed settings");
    assertThatThrownBy(() -> Preparation.prepare(spec(), new Bytes(), 5, set))
        .hasMessageContaining("wrong sequence_length");
  }

  @Test
  void wrongTokenizerForAPreparedSetNamesBothHashes() throws IOException {
    Path set = folder.resolve("set");
    TokenShards made = Preparation.prepare(spec(), new Bytes(), 4, set);
    Path json = HuggingfaceTokenizerTest.write(folder);
    Huggingface other = new Huggingface(json.toString(), java.util.Optional.empty());
    assertThatThrownBy(() -> Preparation.prepare(new Prepared(set.toString()), other, 4, folder))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("wrong tokenizer")
        .hasMessageContaining(made.manifest().tokenizerHash())
        .hasMessageMatching("(?s).*names [0-9a-f]{64}.*");
    assertThat(Preparation.prepare(new Prepared(set.toString()), new Bytes(), 4, folder).manifest())
        .isEqualTo(made.manifest());
  }

  @Test
  void badInputsAreNamedWithFileAndOffset() throws IOException {
    expectFault("missing.txt", null, "expected a file or folder, found nothing");
    expectFault("empty.txt", new byte[0], "byte 0: expected text, found an empty file");
    expectFault("binary.txt", new byte[] {'a', 'b', 0, 'c'}, "byte 2: expected text, found NUL");
    expectFault(
        "latin1.txt", new byte[] {'a', (byte) 0xe9, 'b'}, "byte 1: expected UTF-8, found 0xe962");
    expectFault("cut.txt", new byte[] {'a', (byte) 0xc3}, "byte 1: expected UTF-8, found 0xc3");
    expectFault(
        "surrogate.txt", new byte[] {(byte) 0xed, (byte) 0xa0, (byte) 0x80}, "byte 0: expected");
    expectFault("overlong.txt", new byte[] {(byte) 0xc0, (byte) 0x80}, "byte 0: expected UTF-8");
  }

  private void expectFault(String name, byte[] content, String message) throws IOException {
    Path file = folder.resolve(name);
    if (content != null) {
      Files.write(file, content);
    }
    Text spec = new Text(List.of(file.toString()), List.of(), 0, false);
    assertThatThrownBy(() -> Preparation.prepare(spec, new Bytes(), 4, folder.resolve("bad")))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(name)
        .hasMessageContaining(message);
    assertThat(folder.resolve("bad")).doesNotExist();
  }

  @Test
  void tooLittleTextIsRefused() {
    assertThatThrownBy(() -> Preparation.prepare(spec(), new Bytes(), 1000, folder.resolve("x")))
        .hasMessageContaining("train split: expected at least 1001 tokens");
  }

  @Test
  void validationPathsAreHeldOutAndMayNotOverlap() {
    Text split =
        new Text(
            List.of(texts.resolve("a.txt").toString(), texts.resolve("b.txt").toString()),
            List.of(texts.resolve("sub").toString()),
            0,
            false);
    TokenShards shards = Preparation.prepare(split, new Bytes(), 3, folder.resolve("set"));
    assertThat(stream(shards, SplitName.VALIDATION)).isEqualTo("third\n\0");
    assertThat(stream(shards, SplitName.TRAIN)).doesNotContain("third");
    Text overlap =
        new Text(List.of(texts.toString()), List.of(texts.resolve("a.txt").toString()), 0, false);
    assertThatThrownBy(() -> Preparation.prepare(overlap, new Bytes(), 3, folder.resolve("o")))
        .hasMessageContaining("a.txt")
        .hasMessageContaining("on one side");
  }

  @Test
  void aFractionHoldsOutWholeDocumentsAndAtLeastOne() throws IOException {
    for (int k = 0; k < 200; k++) {
      Files.writeString(texts.resolve("n" + k), "document number " + k + "\n");
    }
    Text tenth = new Text(List.of(texts.toString()), List.of(), 0.1, false);
    TokenShards shards = Preparation.prepare(tenth, new Bytes(), 2, folder.resolve("set"));
    assertThat(shards.part(SplitName.VALIDATION).documents()).isBetween(8L, 35L);
    assertThat(
            shards.part(SplitName.VALIDATION).documents()
                + shards.part(SplitName.TRAIN).documents())
        .isEqualTo(203);
    Text least = new Text(List.of(texts.toString()), List.of(), 1e-9, false);
    assertThat(
            Preparation.prepare(least, new Bytes(), 2, folder.resolve("least"))
                .part(SplitName.VALIDATION)
                .documents())
        .isEqualTo(1);
  }

  @Test
  void damagedShardsAreFound() throws IOException {
    TokenShards shards = Preparation.prepare(spec(), new Bytes(), 4, folder.resolve("set"));
    Path shard = folder.resolve("set/train-00000.tokens");
    byte[] good = Files.readAllBytes(shard);
    byte[] bad = good.clone();
    bad[12] ^= 4;
    Files.write(shard, bad);
    assertThatThrownBy(() -> stream(shards, SplitName.TRAIN))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("train-00000.tokens: byte 9: expected CRC32C");
    assertThatThrownBy(shards::verify).hasMessageContaining("expected SHA-256");
    Files.write(shard, java.util.Arrays.copyOf(good, good.length - 1));
    assertThatThrownBy(() -> TokenShards.open(folder.resolve("set")))
        .hasMessageContaining("expected " + good.length + " bytes, found " + (good.length - 1));
  }

  @Test
  void anIdOutsideTheVocabularyIsNamed() throws IOException {
    Preparation.prepare(spec(), new Bytes(), 4, folder.resolve("set"));
    Path manifest = folder.resolve("set").resolve(TokenShards.MANIFEST);
    Files.writeString(
        manifest,
        Files.readString(manifest).replace("\"vocabulary_size\": 256", "\"vocabulary_size\": 105"));
    TokenShards shards = TokenShards.open(folder.resolve("set"));
    // "firs": 'i' is 105, the second token of the first record.
    assertThatThrownBy(() -> stream(shards, SplitName.TRAIN))
        .hasMessageContaining("byte 1: expected a token id in [0, 105), found 105");
  }
}
