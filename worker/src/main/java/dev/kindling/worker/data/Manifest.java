package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

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
 * @param examples sequences hold whole examples with flags (see {@link ExampleFlags}), not pieces
 *     of one stream; documents are masked then
 * @param placed sums of records say where these are (see {@link RecordSum}): format 4
 * @param leftOut lines and examples that are not in the set
 * @param mixture the parts of a mixture in the order of their training sequences; empty for other
 *     sets
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
    boolean examples,
    boolean placed,
    LeftOut leftOut,
    List<Share> mixture,
    Map<SplitName, Part> splits) {
  /** Streams; unchanged since the first sets, so that these stay readable and equal. */
  static final String FORMAT = "kindling-tokens-1";

  /** Examples: each record has a flag byte a token between its tokens and its CRC. */
  static final String EXAMPLES_FORMAT = "kindling-tokens-2";

  /** Mixtures: records like one of the others, read in the order of {@link MixtureOrder}. */
  static final String MIXTURE_FORMAT = "kindling-tokens-3";

  /**
   * All of these since then. What the set is of stands in its members, and the sum of a record says
   * where it is. Fingerprints are those of the older formats: the tokens are the same.
   */
  static final String PLACED_FORMAT = "kindling-tokens-4";

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

  /** What one part of a mixture has of the training sequences, and how often they come. */
  public record Share(double weight, long sequences) {}

  public Manifest {
    mixture = List.copyOf(mixture);
    splits = Map.copyOf(splits);
  }

  /** Bytes of one record: sequenceLength + 1 tokens, their flags if any, and a CRC32C. */
  public int recordBytes() {
    return (sequenceLength + 1) * (tokenBytes + (examples ? 1 : 0)) + Integer.BYTES;
  }

  static int tokenBytes(int vocabularySize) {
    return vocabularySize <= 1 << 8 ? 1 : vocabularySize <= 1 << 16 ? 2 : 4;
  }

  String toJson() {
    StringBuilder out = new StringBuilder("{\n");
    out.append("  \"format\": ").append(Json.ascii(format())).append(",\n");
    out.append("  \"fingerprint\": ").append(Json.ascii(fingerprint)).append(",\n");
    out.append("  \"inputs_hash\": ").append(Json.ascii(inputsHash)).append(",\n");
    out.append("  \"tokenizer_hash\": ").append(Json.ascii(tokenizerHash)).append(",\n");
    out.append("  \"vocabulary_size\": ").append(vocabularySize).append(",\n");
    out.append("  \"separator\": ").append(separator).append(",\n");
    out.append("  \"token_bytes\": ").append(tokenBytes).append(",\n");
    out.append("  \"sequence_length\": ").append(sequenceLength).append(",\n");
    out.append("  \"mask_documents\": ").append(maskDocuments).append(",\n");
    if (leftOut.any()) {
      out.append("  \"left_out\": ").append(leftOut.toJson()).append(",\n");
    }
    if (placed || !mixture.isEmpty()) {
      out.append("  \"examples\": ").append(examples).append(",\n");
    }
    if (!mixture.isEmpty()) {
      out.append("  \"mixture\": [");
      String comma = "";
      for (Share share : mixture) {
        out.append(comma).append("\n    {\"weight\": ").append(share.weight);
        out.append(", \"sequences\": ").append(share.sequences).append('}');
        comma = ",";
      }
      out.append("],\n");
    }
    out.append("  \"splits\": {\n");
    for (SplitName name : SplitName.values()) {
      out.append("    ").append(Json.ascii(name.word())).append(": ");
      split(out, part(name));
      out.append(name == SplitName.VALIDATION ? "\n" : ",\n");
    }
    return out.append("  }\n}\n").toString();
  }

  private String format() {
    return placed
        ? PLACED_FORMAT
        : !mixture.isEmpty() ? MIXTURE_FORMAT : examples ? EXAMPLES_FORMAT : FORMAT;
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
      out.append(comma).append("\n      {\"file\": ").append(Json.ascii(shard.file));
      out.append(", \"sequences\": ").append(shard.sequences);
      out.append(", \"sha256\": ").append(Json.ascii(shard.sha256)).append('}');
      comma = ",";
    }
    out.append("]}");
  }

  /**
   * @param file the name that errors show
   * @throws JsonException saying where the text breaks a rule, and which member is missing or wrong
   */
  static Manifest fromJson(byte[] text, String file) {
    Json.Obj root = JsonReader.read(text, file).asObject("manifest");
    String format = root.text("format");
    boolean placed = format.equals(PLACED_FORMAT);
    boolean mixed = placed ? root.find("mixture").isPresent() : format.equals(MIXTURE_FORMAT);
    boolean examples =
        (placed || mixed)
            ? root.get("examples").asFlag("examples")
            : format.equals(EXAMPLES_FORMAT);
    require(
        root,
        placed || mixed || examples || format.equals(FORMAT),
        "format: expected "
            + String.join(" or ", FORMAT, EXAMPLES_FORMAT, MIXTURE_FORMAT, PLACED_FORMAT)
            + ", found "
            + format);
    Map<SplitName, Part> splits = new LinkedHashMap<>();
    Json.Obj sides = root.object("splits");
    for (SplitName name : SplitName.values()) {
      splits.put(name, part(sides.object(name.word())));
    }
    Manifest manifest =
        new Manifest(
            root.text("fingerprint"),
            root.text("inputs_hash"),
            root.text("tokenizer_hash"),
            integer(root, "vocabulary_size", Integer.MAX_VALUE),
            integer(root, "separator", Integer.MAX_VALUE),
            integer(root, "token_bytes", Integer.BYTES),
            integer(root, "sequence_length", 1 << 24),
            root.find("mask_documents").map(flag -> flag.asFlag("mask_documents")).orElse(false),
            examples,
            placed,
            root.find("left_out").isPresent()
                ? LeftOut.fromJson(root.object("left_out"))
                : LeftOut.NONE,
            mixed ? shares(root) : List.of(),
            splits);
    require(root, manifest.sequenceLength >= 1, "sequence_length: expected 1 or more, found 0");
    require(
        root,
        manifest.maskDocuments || !examples,
        "mask_documents: expected true in a set of examples, found false");
    long shared = manifest.mixture.stream().mapToLong(Share::sequences).sum();
    long held = manifest.part(SplitName.TRAIN).sequences();
    require(
        root,
        manifest.mixture.isEmpty() || shared == held,
        "mixture: expected " + held + " sequences in its parts, found " + shared);
    int width = tokenBytes(manifest.vocabularySize);
    require(
        root,
        manifest.tokenBytes == width,
        "token_bytes: expected " + width + ", found " + manifest.tokenBytes);
    return manifest;
  }

  private static List<Share> shares(Json.Obj root) {
    List<Share> shares = new ArrayList<>();
    for (Json item : root.list("mixture")) {
      Json.Obj share = item.asObject("mixture");
      double weight = share.get("weight") instanceof Json.Num number ? value(number) : 0;
      require(share, weight > 0, "weight: expected a number above 0");
      shares.add(new Share(weight, share.integer("sequences", 1, Long.MAX_VALUE)));
    }
    require(root, !shares.isEmpty(), "mixture: expected parts, found none");
    return shares;
  }

  private static double value(Json.Num number) {
    double value = Double.parseDouble(number.text());
    return Double.isFinite(value) ? value : 0;
  }

  private static Part part(Json.Obj json) {
    List<Shard> shards = new ArrayList<>();
    for (Json item : json.list("shards")) {
      Json.Obj shard = item.asObject("shards");
      String file = shard.text("file");
      require(
          shard,
          file.matches("[a-z]+-[0-9]+\\.tokens"),
          "file: expected the name of a shard, found " + file);
      shards.add(new Shard(file, count(shard, "sequences"), shard.text("sha256")));
    }
    Part part =
        new Part(
            count(json, "sequences"),
            count(json, "tokens"),
            count(json, "documents"),
            count(json, "text_bytes"),
            shards);
    long sum = shards.stream().mapToLong(Shard::sequences).sum();
    require(
        json,
        part.sequences == sum,
        "sequences: expected " + sum + ", the sum over the shards, found " + part.sequences);
    return part;
  }

  private static void require(Json where, boolean holds, String message) {
    if (!holds) {
      throw new JsonException(where.place().file(), where.place().offset(), message);
    }
  }

  private static long count(Json.Obj json, String member) {
    return json.integer(member, 0, Long.MAX_VALUE);
  }

  private static int integer(Json.Obj json, String member, int max) {
    return (int) json.integer(member, 0, max);
  }
}
