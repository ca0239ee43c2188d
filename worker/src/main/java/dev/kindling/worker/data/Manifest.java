package dev.kindling.worker.data;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What {@code manifest.json} of a prepared set says.
 *
 * @param fingerprint SHA-256 of inputs, tokenizer and settings: equal fingerprint, equal shards
 * @param inputsHash SHA-256 of the content of all inputs in their order
 * @param tokenizerHash {@link Tokenizer#hash}
 * @param vocabularySize ids are below it
 * @param separator id between documents
 * @param tokenBytes width of a token in the shards: 1, 2 (unsigned) or 4
 * @param sequenceLength tokens a sequence, one less than a record holds
 * @param maskDocuments attention and targets stay inside one document
 * @param splits both sides; validation may hold nothing
 */
public record Manifest(
    String fingerprint,
    String inputsHash,
    String tokenizerHash,
    int vocabularySize,
    int separator,
    int tokenBytes,
    int sequenceLength,
    boolean maskDocuments,
    Map<SplitName, Part> splits) {
  static final String FORMAT = "kindling-tokens-1";

  /**
   * One side of the set.
   *
   * @param tokens in the stream before packing, separators included; the tail that fills no
   *     sequence is dropped
   */
  public record Part(
      long sequences, long tokens, long documents, long textBytes, List<Shard> shards) {
    public Part {
      shards = List.copyOf(shards);
    }
  }

  /** One file of {@code sequences} records; hash over the whole file. */
  public record Shard(String file, long sequences, String sha256) implements java.io.Serializable {}

  public Manifest {
    splits = Map.copyOf(splits);
  }

  /** Bytes of one record: sequenceLength + 1 tokens and their CRC32C. */
  public int recordBytes() {
    return (sequenceLength + 1) * tokenBytes + Integer.BYTES;
  }

  static int tokenBytes(int vocabularySize) {
    return vocabularySize <= 1 << 8 ? 1 : vocabularySize <= 1 << 16 ? 2 : 4;
  }

  String toJson() {
    StringBuilder out = new StringBuilder("{\n");
    out.append("  \"format\": ").append(Json.quote(FORMAT)).append(",\n");
    out.append("  \"fingerprint\": ").append(Json.quote(fingerprint)).append(",\n");
    out.append("  \"inputs_hash\": ").append(Json.quote(inputsHash)).append(",\n");
    out.append("  \"tokenizer_hash\": ").append(Json.quote(tokenizerHash)).append(",\n");
    out.append("  \"vocabulary_size\": ").append(vocabularySize).append(",\n");
    out.append("  \"separator\": ").append(separator).append(",\n");
    out.append("  \"token_bytes\": ").append(tokenBytes).append(",\n");
    out.append("  \"sequence_length\": ").append(sequenceLength).append(",\n");
    out.append("  \"mask_documents\": ").append(maskDocuments).append(",\n");
    out.append("  \"splits\": {\n");
    for (SplitName name : SplitName.values()) {
      out.append("    ").append(Json.quote(name.word())).append(": ");
      split(out, part(name));
      out.append(name == SplitName.VALIDATION ? "\n" : ",\n");
    }
    return out.append("  }\n}\n").toString();
  }

  Part part(SplitName name) {
    Part part = splits.get(name);
    return part == null ? new Part(0, 0, 0, 0, List.of()) : part;
  }

  private static void split(StringBuilder out, Part part) {
    out.append("{\"sequences\": ").append(part.sequences);
    out.append(", \"tokens\": ").append(part.tokens);
    out.append(", \"documents\": ").append(part.documents);
    out.append(", \"text_bytes\": ").append(part.textBytes).append(", \"shards\": [");
    String comma = "";
    for (Shard shard : part.shards) {
      out.append(comma).append("\n      {\"file\": ").append(Json.quote(shard.file));
      out.append(", \"sequences\": ").append(shard.sequences);
      out.append(", \"sha256\": ").append(Json.quote(shard.sha256)).append('}');
      comma = ",";
    }
    out.append("]}");
  }

  /**
   * @throws IllegalArgumentException saying which member is missing or wrong
   */
  static Manifest fromJson(String text) {
    Map<?, ?> root = map(Json.parse(text), "manifest");
    if (!FORMAT.equals(root.get("format"))) {
      throw new IllegalArgumentException(
          "format: expected " + FORMAT + ", found " + root.get("format"));
    }
    Map<SplitName, Part> splits = new LinkedHashMap<>();
    Map<?, ?> sides = map(root.get("splits"), "splits");
    for (SplitName name : SplitName.values()) {
      splits.put(name, part(map(sides.get(name.word()), name.word())));
    }
    Manifest manifest =
        new Manifest(
            string(root, "fingerprint"),
            string(root, "inputs_hash"),
            string(root, "tokenizer_hash"),
            integer(root, "vocabulary_size"),
            integer(root, "separator"),
            integer(root, "token_bytes"),
            integer(root, "sequence_length"),
            Boolean.TRUE.equals(root.get("mask_documents")),
            splits);
    if (manifest.tokenBytes != tokenBytes(manifest.vocabularySize)
        || manifest.sequenceLength < 1
        || manifest.sequenceLength > 1 << 24) {
      throw new IllegalArgumentException("token_bytes or sequence_length: out of range");
    }
    return manifest;
  }

  private static Part part(Map<?, ?> json) {
    List<Shard> shards = new ArrayList<>();
    if (!(json.get("shards") instanceof List<?> list)) {
      throw new IllegalArgumentException("shards: expected a list");
    }
    for (Object item : list) {
      Map<?, ?> shard = map(item, "shards");
      String file = string(shard, "file");
      if (!file.matches("[a-z]+-[0-9]+\\.tokens")) {
        throw new IllegalArgumentException("file: expected the name of a shard, found " + file);
      }
      shards.add(new Shard(file, number(shard, "sequences"), string(shard, "sha256")));
    }
    Part part =
        new Part(
            number(json, "sequences"),
            number(json, "tokens"),
            number(json, "documents"),
            number(json, "text_bytes"),
            shards);
    if (part.sequences != shards.stream().mapToLong(Shard::sequences).sum()) {
      throw new IllegalArgumentException("sequences: expected the sum over the shards");
    }
    return part;
  }

  private static Map<?, ?> map(@Nullable Object value, String what) {
    if (value instanceof Map<?, ?> map) {
      return map;
    }
    throw new IllegalArgumentException(what + ": expected an object, found " + value);
  }

  private static String string(Map<?, ?> json, String member) {
    if (json.get(member) instanceof String text) {
      return text;
    }
    throw new IllegalArgumentException(member + ": expected a text, found " + json.get(member));
  }

  private static long number(Map<?, ?> json, String member) {
    if (json.get(member) instanceof Long number && number >= 0) {
      return number;
    }
    throw new IllegalArgumentException(member + ": expected a count, found " + json.get(member));
  }

  private static int integer(Map<?, ?> json, String member) {
    return Math.toIntExact(number(json, member));
  }
}
