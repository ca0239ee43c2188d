package dev.kindling.worker.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.Mutants;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Damaged and hostile inputs to what a run reads of its data: tokenizer.json, the manifest of a
 * prepared set and its shards are read or refused, and no changed or misplaced record of a shard is
 * taken for a good one. {@code -Dseed} repeats a run.
 */
class DataFuzzTest {
  private static final long HEAP_BYTES_MAX = 64L << 20;
  private static final int LENGTH = 8;

  private static final String UNIGRAM =
      """
      {"version": "1.0", "truncation": null, "padding": null,
       "added_tokens": [{"id": 0, "content": "<unk>", "single_word": false, "lstrip": false,
         "rstrip": false, "normalized": false, "special": true}],
       "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"},
         {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
       "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always",
         "split": true},
       "post_processor": null,
       "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always",
         "split": true},
       "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
         "vocab": [["<unk>", 0.0], ["\u2581a", -1.5], ["b", -2.25], ["ab", -3.0]]}}
      """;

  private static final String WORDPIECE =
      """
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
       "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
         "strip_accents": null, "lowercase": true},
       "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "BertPreTokenizer"},
         {"type": "Split", "pattern": {"Regex": "\\\\p{N}{1,3}|[^\\\\p{L}]+"},
          "behavior": "Isolated", "invert": false}]},
       "post_processor": {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
           {"Sequence": {"id": "A", "type_id": 0}}],
         "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
         "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
       "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 100,
         "vocab": {"[UNK]": 0, "[CLS]": 1, "a": 2, "##b": 3, "ab": 4}}}
      """;

  @TempDir private Path folder;

  private List<Mutants.Target> targets() throws IOException {
    List<Mutants.Target> targets = new ArrayList<>();
    byte[] json = Files.readAllBytes(HuggingfaceTokenizerTest.write(folder));
    targets.add(new Mutants.Target("tokenizer.json", json, DataFuzzTest::tokenizer));
    targets.add(new Mutants.Target("unigram", UNIGRAM.getBytes(UTF_8), DataFuzzTest::tokenizer));
    targets.add(
        new Mutants.Target("wordpiece", WORDPIECE.getBytes(UTF_8), DataFuzzTest::tokenizer));
    Path text = Files.writeString(folder.resolve("text.txt"), "abc a cab ".repeat(30));
    Text data = new Text(List.of(text.toString()), List.of(), 0, false);
    Path set = folder.resolve("set");
    TokenShards shards = Preparation.prepare(data, new Bytes(), LENGTH, set);
    byte[] manifest = Files.readAllBytes(set.resolve("manifest.json"));
    targets.add(
        new Mutants.Target(
            "manifest.json", manifest, input -> Manifest.fromJson(input, "manifest.json")));
    Path shard = set.resolve(shards.part(SplitName.TRAIN).shards().get(0).file());
    byte[] good = Files.readAllBytes(shard);
    targets.add(new Mutants.Target("shard", good, input -> shard(set, shard, good, input)));
    // Whole records change places, which mutants of bytes seldom do.
    int record = shards.manifest().recordBytes();
    byte[] swap = {0, 1};
    targets.add(
        new Mutants.Target(
            "places", swap, input -> shard(set, shard, good, swapped(good, record, input))));
    return targets;
  }

  /** What is accepted must also work. */
  private static void tokenizer(byte[] input) {
    byte[] saved =
        ByteBuffer.allocate(Integer.BYTES + input.length)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(0)
            .put(input)
            .array();
    try (Tokenizer tokenizer = Tokenizer.restore(saved, "tokenizer.json")) {
      tokenizer.decode(tokenizer.encode(" abc 12 \u00e9 a".getBytes(UTF_8)));
    }
  }

  /** Records whose numbers the input names, by pairs, change places. */
  private static byte[] swapped(byte[] good, int record, byte[] input) {
    byte[] swapped = good.clone();
    int records = good.length / record;
    for (int i = 0; i + 1 < input.length; i += 2) {
      int left = (input[i] & 0xff) % records * record;
      int right = (input[i + 1] & 0xff) % records * record;
      byte[] kept = Arrays.copyOfRange(swapped, left, left + record);
      System.arraycopy(swapped, right, swapped, left, record);
      System.arraycopy(kept, 0, swapped, right, record);
    }
    return swapped;
  }

  /** One after the other: the set lies on the disk. */
  private static synchronized void shard(Path set, Path file, byte[] good, byte[] input)
      throws IOException {
    Files.write(file, input);
    TokenShards shards = TokenShards.open(set);
    try (SequenceReader reader = SequenceReader.open(shards, SplitName.TRAIN)) {
      int[] tokens = new int[LENGTH + 1];
      for (long sequence = 0; sequence < reader.sequences(); sequence++) {
        reader.read(sequence, tokens);
      }
    }
    if (!Arrays.equals(good, input)) {
      throw new AssertionError("a changed shard was read: " + Arrays.toString(input));
    }
  }

  private void fuzz(int inputs) throws IOException {
    Mutants.fuzz(
        targets(), inputs, HEAP_BYTES_MAX, List.of(DataException.class, JsonException.class));
  }

  @Test
  @Timeout(value = 10, unit = TimeUnit.MINUTES)
  void aHundredThousandMutantsAreReadOrRefused() throws IOException {
    fuzz(100_000);
  }

  @Test
  @Tag("long")
  @Timeout(value = 30, unit = TimeUnit.MINUTES)
  void aMillionMutantsAreReadOrRefused() throws IOException {
    fuzz(1_000_000);
  }
}
