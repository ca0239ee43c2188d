package dev.kindling.worker.data;

import dev.kindling.worker.store.BuildFolder;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Makes a prepared set out of text: scan, tokenise, pack, in three rounds of independent tasks. The
 * shards depend on inputs, tokenizer and settings alone, never on the pool; a set that holds the
 * same is used as it is, one that holds something else is refused.
 *
 * <p>Everything is written beside the target and renamed onto it, the manifest last: a folder with
 * a manifest is whole.
 */
public final class Preparation {
  /** Tokens of a full shard: 16 Mi, enough that a file costs nothing to open. */
  private static final int SHARD_TOKENS = 1 << 24;

  private final TokenizerSpec tokenizerSpec;
  private final Tokenizer tokenizer;
  private final int sequenceLength;
  private final int shardTokens;
  private final WorkPool pool;
  private final @Nullable ChatFormat chat;

  private Preparation(
      TokenizerSpec spec,
      Tokenizer tokenizer,
      int sequenceLength,
      int shardTokens,
      WorkPool pool,
      @Nullable ChatFormat chat) {
    this.tokenizerSpec = spec;
    this.tokenizer = tokenizer;
    this.sequenceLength = sequenceLength;
    this.shardTokens = shardTokens;
    this.pool = pool;
    this.chat = chat;
  }

  /** As the five-argument form, on the calling thread, saying nothing. */
  public static TokenShards prepare(
      DataSpec data, TokenizerSpec tokenizer, int sequenceLength, Path target) {
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    return prepare(data, tokenizer, sequenceLength, target, pool);
  }

  /**
   * The prepared set in {@code target}, made if it is not there. For {@link Prepared} the target is
   * not used.
   *
   * @throws DataException for input that is no text, and for a set of other inputs, tokenizer or
   *     settings, naming both hashes
   */
  public static TokenShards prepare(
      DataSpec data, TokenizerSpec tokenizer, int sequenceLength, Path target, WorkPool pool) {
    return prepare(data, tokenizer, sequenceLength, fingerprint -> target, SHARD_TOKENS, pool);
  }

  /** As {@link #prepare}, in a folder of {@code root} named after the fingerprint. */
  public static TokenShards prepareBelow(
      DataSpec data, TokenizerSpec tokenizer, int sequenceLength, Path root, WorkPool pool) {
    Function<String, Path> target = fingerprint -> root.resolve(fingerprint.substring(0, 16));
    return prepare(data, tokenizer, sequenceLength, target, SHARD_TOKENS, pool);
  }

  static TokenShards prepare(
      DataSpec data,
      TokenizerSpec spec,
      int sequenceLength,
      Function<String, Path> target,
      int shardTokens,
      WorkPool pool) {
    try (Tokenizer tokenizer = Tokenizer.open(spec)) {
      if (data instanceof Prepared prepared) {
        TokenShards shards = TokenShards.open(Path.of(prepared.path()));
        shards.require(tokenizer, sequenceLength);
        return shards;
      }
      if (data instanceof Mixture mixture) {
        return new Preparation(spec, tokenizer, sequenceLength, shardTokens, pool, null)
            .prepare(mixture, target);
      }
      ChatFormat chat =
          data instanceof Chat examples ? ChatFormat.of(examples, spec, sequenceLength) : null;
      return new Preparation(spec, tokenizer, sequenceLength, shardTokens, pool, chat)
          .prepare(Corpora.of(data, pool), target);
    }
  }

  private TokenShards prepare(Corpora corpus, Function<String, Path> targets) {
    Sha256 settings =
        new Sha256()
            .add(chat == null ? Manifest.FORMAT : Manifest.EXAMPLES_FORMAT)
            .add(corpus.inputsHash())
            .add(tokenizer.hash())
            .add("sequence_length " + sequenceLength)
            .add("shard_tokens " + shardTokens)
            .add("mask_documents " + corpus.maskDocuments())
            .add("validation_fraction " + corpus.validationFraction());
    if (chat != null) {
      chat.addTo(settings);
    }
    String fingerprint = settings.hex();
    return new SetFolder(targets.apply(fingerprint), tokenizer, sequenceLength)
        .holding(
            fingerprint,
            corpus.inputsHash(),
            building -> {
              Files.createDirectories(building.resolve("parts"));
              Manifest manifest = build(corpus, fingerprint, building);
              BuildFolder.delete(building.resolve("parts"));
              return manifest;
            });
  }

  private TokenShards prepare(Mixture mixture, Function<String, Path> target) {
    List<TokenShards> parts = new ArrayList<>();
    for (MixturePart part : mixture.parts()) {
      Function<String, Path> beside = fingerprint -> besides(target, fingerprint);
      parts.add(prepare(part.data(), tokenizerSpec, sequenceLength, beside, shardTokens, pool));
    }
    MixturePreparation mixing = new MixturePreparation(mixture, parts);
    String fingerprint = mixing.fingerprint(shardTokens);
    return new SetFolder(target.apply(fingerprint), tokenizer, sequenceLength)
        .holding(
            fingerprint,
            mixing.inputsHash(),
            building -> mixing.build(building, fingerprint, shardTokens, pool));
  }

  /** Where folders are named after fingerprints parts have their own; else beside the target. */
  private static Path besides(Function<String, Path> target, String fingerprint) {
    Path folder = target.apply(fingerprint).toAbsolutePath().normalize();
    String name = fingerprint.substring(0, 16);
    return folder.endsWith(name)
        ? folder
        : folder.resolveSibling(folder.getFileName() + "-" + name);
  }

  private Manifest build(Corpora corpus, String fingerprint, Path building) throws IOException {
    int tokenBytes = Manifest.tokenBytes(tokenizer.vocabularySize());
    String parts = building.resolve("parts").toString();
    List<TokenizeTask.Input> inputs = inputs(corpus);
    List<TokenizeTask.Counts> counts =
        pool.map(
            "tokenise",
            inputs,
            new TokenizeTask(tokenizerSpec, chat, tokenBytes, corpus.line(), parts));
    Packed packed =
        chat == null
            ? stream(corpus, counts, building, tokenBytes)
            : examples(corpus, counts, building, tokenBytes);
    joinDocuments(building, counts.size());
    LeftOut leftOut = leftOut(building, counts);
    Map<SplitName, Manifest.Part> splits = new EnumMap<>(SplitName.class);
    for (SplitName split : SplitName.values()) {
      splits.put(split, part(split, packed, counts));
    }
    return new Manifest(
        fingerprint,
        corpus.inputsHash(),
        tokenizer.hash(),
        tokenizer.vocabularySize(),
        tokenizer.separator(),
        tokenBytes,
        sequenceLength,
        corpus.maskDocuments(),
        chat != null,
        true,
        leftOut,
        List.of(),
        splits);
  }

  /** Which sequences became which shard. */
  private record Packed(List<ShardTask.Input> cuts, List<Manifest.Shard> shards) {}

  private Packed stream(
      Corpora corpus, List<TokenizeTask.Counts> counts, Path building, int tokenBytes) {
    long[][] tokens = new long[2][counts.size()];
    Map<SplitName, Long> sequences = new EnumMap<>(SplitName.class);
    for (SplitName split : SplitName.values()) {
      long total = 0;
      for (int k = 0; k < counts.size(); k++) {
        tokens[split.ordinal()][k] = counts.get(k).tokens()[split.ordinal()];
        total += tokens[split.ordinal()][k];
      }
      long held = total == 0 ? 0 : (total - 1) / sequenceLength;
      String least = (sequenceLength + 1) + " tokens (one sequence), found " + total;
      require(held > 0, corpus, split, least);
      sequences.put(split, held);
    }
    List<ShardTask.Input> cuts = cuts(sequences);
    String parts = building.resolve("parts").toString();
    ShardTask pack = new ShardTask(parts, building.toString(), tokenBytes, sequenceLength, tokens);
    return new Packed(cuts, pool.map("pack", cuts, pack));
  }

  private Packed examples(
      Corpora corpus, List<TokenizeTask.Counts> counts, Path building, int tokenBytes) {
    Map<SplitName, ExampleShardTask.Places> places = new EnumMap<>(SplitName.class);
    Map<SplitName, Long> sequences = new EnumMap<>(SplitName.class);
    for (SplitName split : SplitName.values()) {
      ExampleShardTask.Places held =
          new ExampleShardTask.Places(split, counts, tokenBytes, sequenceLength + 1);
      require(held.sequences() > 0, corpus, split, "one example, found none that can be used");
      places.put(split, held);
      sequences.put(split, held.sequences());
    }
    List<ShardTask.Input> cuts = cuts(sequences);
    List<ExampleShardTask.Input> inputs = new ArrayList<>();
    for (ShardTask.Input cut : cuts) {
      inputs.add(Objects.requireNonNull(places.get(cut.split())).input(cut));
    }
    ExampleShardTask pack =
        new ExampleShardTask(
            building.resolve("parts").toString(),
            building.toString(),
            tokenBytes,
            sequenceLength,
            tokenizer.separator());
    return new Packed(cuts, pool.map("pack", inputs, pack));
  }

  private static void require(boolean holds, Corpora corpus, SplitName split, String least) {
    if (!holds && (split == SplitName.TRAIN || corpus.holdsOut())) {
      throw new DataException(split.word() + " split: expected at least " + least);
    }
  }

  private List<TokenizeTask.Input> inputs(Corpora corpus) {
    Set<String> seen = new HashSet<>();
    List<TokenizeTask.Input> inputs = new ArrayList<>();
    List<ScanTask.Scan> scans = corpus.scans();
    for (Group group : corpus.groups()) {
      BitSet dropped = new BitSet();
      List<String> hashes = scans.get(group.index()).hashes();
      for (int k = 0; k < hashes.size(); k++) {
        dropped.set(k, !seen.add(hashes.get(k)));
      }
      inputs.add(new TokenizeTask.Input(group, dropped));
    }
    return inputs;
  }

  private List<ShardTask.Input> cuts(Map<SplitName, Long> sequences) {
    List<ShardTask.Input> cuts = new ArrayList<>();
    long perShard = Math.max(1, shardTokens / sequenceLength);
    sequences.forEach(
        (split, held) -> {
          for (long first = 0; first < held; first += perShard) {
            long count = Math.min(perShard, held - first);
            cuts.add(new ShardTask.Input(split, (int) (first / perShard), first, count));
          }
        });
    return cuts;
  }

  private static Manifest.Part part(
      SplitName split, Packed packed, List<TokenizeTask.Counts> counts) {
    List<Manifest.Shard> own = new ArrayList<>();
    long sequences = 0;
    for (int k = 0; k < packed.cuts.size(); k++) {
      if (packed.cuts.get(k).split() == split) {
        own.add(packed.shards.get(k));
        sequences += packed.cuts.get(k).count();
      }
    }
    int side = split.ordinal();
    long tokens = counts.stream().mapToLong(count -> count.tokens()[side]).sum();
    long documents = counts.stream().mapToLong(count -> count.documents()[side]).sum();
    long textBytes = counts.stream().mapToLong(count -> count.textBytes()[side]).sum();
    return new Manifest.Part(sequences, tokens, documents, textBytes, own);
  }

  private static void joinDocuments(Path building, int groups) throws IOException {
    try (OutputStream out = Files.newOutputStream(building.resolve(TokenShards.DOCUMENTS))) {
      for (int k = 0; k < groups; k++) {
        Files.copy(TokenizeTask.documents(building.resolve("parts").toString(), k), out);
      }
    }
  }

  private static LeftOut leftOut(Path building, List<TokenizeTask.Counts> counts)
      throws IOException {
    LeftOut all = LeftOut.NONE;
    for (TokenizeTask.Counts count : counts) {
      all = all.plus(count.leftOut());
    }
    if (all.any()) {
      try (OutputStream out = Files.newOutputStream(building.resolve(TokenShards.LEFT_OUT))) {
        for (int k = 0; k < counts.size(); k++) {
          Files.copy(TokenizeTask.leftOut(building.resolve("parts").toString(), k), out);
        }
      }
    }
    return all;
  }
}
