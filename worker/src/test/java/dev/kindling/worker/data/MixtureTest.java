package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MixtureTest {
  private static final long SEED = Long.getLong("seed", 7L);
  private static final int LENGTH = 8;

  @TempDir Path folder;

  private Text text(String name, char letter, int bytes, boolean mask) throws IOException {
    String words = (letter + "").repeat(bytes);
    Path file = Files.writeString(folder.resolve(name), words);
    Path held = Files.writeString(folder.resolve("held-" + name), words.substring(0, 20));
    return new Text(List.of(file.toString()), List.of(held.toString()), 0, mask);
  }

  private TokenShards prepare(int shardTokens, String target, MixturePart... parts) {
    return Preparation.prepare(
        new Mixture(List.of(parts)),
        new Bytes(),
        LENGTH,
        fingerprint -> folder.resolve(target),
        shardTokens,
        WorkPool.sequential(WorkPool.Progress.silent()));
  }

  private static String first(TokenShards shards, BatchSlice slice, int steps) {
    StringBuilder letters = new StringBuilder();
    try (BatchReader reader = BatchReader.training(shards, slice, SEED, 0)) {
      for (int k = 0; k < steps * slice.microSteps(); k++) {
        Batch batch = reader.next();
        for (int at = 0; at < batch.size(); at += LENGTH) {
          letters.append((char) batch.token(at));
        }
      }
    }
    return letters.toString();
  }

  @Test
  void sequencesComeByWeightWhateverTheNumberOfRanks() throws IOException {
    MixturePart a = new MixturePart(3, text("a", 'a', 400, false));
    MixturePart b = new MixturePart(1, text("b", 'b', 90, false));
    TokenShards shards = prepare(1 << 20, "set", a, b);
    assertThat(shards.part(SplitName.TRAIN).sequences()).isEqualTo(50 + 11);
    assertThat(shards.part(SplitName.VALIDATION).sequences()).isEqualTo(4);
    shards.verify();
    String whole = first(shards, new BatchSlice(0, 1, 4, 4), 50);
    assertThat(whole.chars().filter(c -> c == 'a').count()).isEqualTo(150);
    StringBuilder joined = new StringBuilder();
    String left = first(shards, new BatchSlice(0, 2, 4, 1), 50);
    String right = first(shards, new BatchSlice(1, 2, 4, 1), 50);
    for (int step = 0; step < 50; step++) {
      joined.append(left, 2 * step, 2 * step + 2).append(right, 2 * step, 2 * step + 2);
    }
    assertThat(joined.toString()).isEqualTo(whole);
    TokenShards small = prepare(24, "small", a, b);
    assertThat(small.part(SplitName.TRAIN).shards()).hasSizeGreaterThan(10);
    assertThat(first(small, new BatchSlice(0, 1, 4, 4), 50)).isEqualTo(whole);
    assertThat(prepare(1 << 20, "set", a, b).manifest()).isEqualTo(shards.manifest());
    MixturePart heavier = new MixturePart(2, b.data());
    assertThatThrownBy(() -> prepare(1 << 20, "set", a, heavier))
        .hasMessageContaining("changed settings");
  }

  @Test
  void textBesideConversationsCountsAllItsTargets() throws IOException {
    Path pairs =
        Files.writeString(
            folder.resolve("pairs.jsonl"), "{\"prompt\": \"pp\", \"completion\": \"cc\"}\n");
    Chat chat =
        new Chat(
            List.of(pairs.toString()), Optional.empty(), TooLong.DROP, BadLines.FAIL, List.of(), 0);
    Path file = Files.writeString(folder.resolve("t"), "ab");
    Path other = Files.writeString(folder.resolve("u"), "cdefghijkl");
    Text text = new Text(List.of(file.toString(), other.toString()), List.of(), 0, true);
    TokenShards shards =
        prepare(1 << 20, "set", new MixturePart(1, chat), new MixturePart(1, text));
    assertThat(shards.manifest().examples()).isTrue();
    int no = Batch.IGNORED;
    List<List<Integer>> targets = new ArrayList<>();
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 1, 1), SEED, 0)) {
      for (int k = 0; k < 2; k++) {
        Batch batch = reader.next();
        List<Integer> row = new ArrayList<>();
        for (int i = 0; i < LENGTH; i++) {
          row.add(batch.target(i));
        }
        targets.add(row);
      }
    }
    assertThat(targets)
        .containsExactlyInAnyOrder(
            List.of(no, (int) 'c', (int) 'c', 0, no, no, no, no),
            List.of((int) 'b', 0, no, (int) 'd', (int) 'e', (int) 'f', (int) 'g', (int) 'h'));
  }

  @Test
  void partsThatMaskDocumentsAndPartsThatDoNotAreRefused() throws IOException {
    MixturePart a = new MixturePart(3, text("a", 'a', 400, false));
    MixturePart b = new MixturePart(1, text("b", 'b', 90, true));
    assertThatThrownBy(() -> prepare(1 << 20, "set", a, b))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("mask_documents: expected the same in all parts");
  }
}
