package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HuggingfaceTokenizerTest {
  @TempDir Path folder;

  /** A byte-level BPE with three merges, as the Hugging Face library would save it. */
  static Path write(Path folder) throws IOException {
    String json =
        """
        {"version": "1.0", "truncation": null, "padding": null,
         "added_tokens": [{"id": 300, "content": "<|endoftext|>", "single_word": false,
           "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
         "normalizer": null,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
           "use_regex": true},
         "post_processor": null,
         "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
           "use_regex": true},
         "model": {"type": "BPE", "dropout": null, "unk_token": null,
           "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
           "byte_fallback": false,
           "vocab": {"a": 0, "b": 1, "c": 2, "\u0120": 3, "ab": 4, "abc": 5, "\u0120a": 6},
           "merges": ["a b", "ab c", "\u0120 a"]}}
        """;
    return Files.writeString(folder.resolve("tokenizer.json"), json);
  }

  @Test
  void encodesAndDecodes() throws IOException {
    Path file = write(folder);
    Huggingface spec = new Huggingface(folder.toString(), Optional.empty());
    try (Tokenizer tokenizer = Tokenizer.open(spec)) {
      int[] ids = tokenizer.encode("abc a cab".getBytes(StandardCharsets.UTF_8));
      assertThat(ids).containsExactly(5, 6, 3, 2, 4);
      assertThat(tokenizer.decode(ids)).isEqualTo("abc a cab");
      assertThat(tokenizer.vocabularySize()).isEqualTo(301);
      assertThat(tokenizer.separator()).isEqualTo(300);
      assertThat(tokenizer.hash()).hasSize(64).isNotEqualTo(new ByteTokenizer().hash());
    }
    Path texts = Files.writeString(folder.resolve("t.txt"), "abc a cab abc abc a b c a b c");
    Text data = new Text(List.of(texts.toString()), List.of(), 0, false);
    TokenShards shards = Preparation.prepare(data, spec, 4, folder.resolve("set"));
    assertThat(shards.manifest().tokenBytes()).isEqualTo(2);
    try (Tokenizer kept = shards.tokenizer()) {
      assertThat(kept.decode(new int[] {5, 6})).isEqualTo("abc a");
    }
    assertThat(file).exists();
  }

  @Test
  void textEndsAtTheSeparatorAndAtTheEndOfATurn() throws IOException {
    Path file = write(folder);
    Huggingface spec = new Huggingface(folder.toString(), Optional.empty());
    try (Tokenizer tokenizer = Tokenizer.open(spec)) {
      assertThat(tokenizer.ends()).containsExactly(300);
    }
    String json = Files.readString(file);
    String turns =
        "\"ab\": 4, \"<|im_end|>\": 7, \"<|eot_id|>\": 8, \"<end_of_turn>\": 9, \"<|end|>\": 10";
    Files.writeString(file, json.replace("\"ab\": 4", turns));
    try (Tokenizer tokenizer = Tokenizer.open(spec)) {
      assertThat(tokenizer.ends()).containsExactlyInAnyOrder(300, 7, 8, 9, 10);
    }
  }

  @Test
  void placesAreThoseOfCharactersAlsoBehindPairsOfThem() throws IOException {
    Path file = write(folder);
    String json = Files.readString(file);
    // The four bytes of an emoji as byte-level vocabularies write them.
    String bytes = "\"\u00f0\": 7, \"\u0141\": 8, \"\u013a\": 9, \"\u0122\": 10, \"a\": 0";
    Files.writeString(file, json.replace("\"a\": 0", bytes).replace("300", "11"));
    try (Tokenizer tokenizer =
        Tokenizer.open(new Huggingface(folder.toString(), Optional.empty()))) {
      Tokenizer.Tokens tokens = tokenizer.tokens("ab\ud83d\ude00<|endoftext|>c");
      assertThat(tokens.ids()).containsExactly(4, 7, 8, 9, 10, 11, 2);
      assertThat(tokens.starts()).containsExactly(0, 2, 2, 2, 2, 4, 17);
    }
  }

  @Test
  void filesThatAreNoTokenizerAreRefused() throws IOException {
    Path missing = folder.resolve("none.json");
    assertThatThrownBy(() -> Tokenizer.open(new Huggingface(missing.toString(), Optional.empty())))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("none.json: expected a tokenizer.json, found no such file");
    Path wrong = Files.writeString(folder.resolve("wrong.json"), "{\"model\": 3}");
    assertThatThrownBy(() -> Tokenizer.open(new Huggingface(wrong.toString(), Optional.empty())))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("not a tokenizer.json");
    String half = "{\"model\": {\"vocab\": {}}, \"decoder\": {\"type\": \"\\ud83d\"}}";
    Path surrogate = Files.writeString(folder.resolve("half.json"), half);
    assertThatThrownBy(
            () -> Tokenizer.open(new Huggingface(surrogate.toString(), Optional.empty())))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(
            "half.json: not a tokenizer.json: byte 46: expected a surrogate pair");
    Path file = write(folder);
    Huggingface separator = new Huggingface(file.toString(), Optional.of("<eod>"));
    assertThatThrownBy(() -> Tokenizer.open(separator))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("[<eod>]");
  }
}
