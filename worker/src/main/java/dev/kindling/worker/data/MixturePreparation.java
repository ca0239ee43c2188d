package dev.kindling.worker.data;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Makes one prepared set out of the sets of a mixture's parts: their sequences one part after
 * another, so that whatever reads a set reads this one; only the order knows of parts. It costs a
 * second copy of the tokens on disk, and the parts' own sets stay for other mixtures.
 */
final class MixturePreparation {
  private static final String RULES = "mixture rules 1";

  private final Mixture mixture;
  private final List<TokenShards> parts;
  private final boolean examples;

  MixturePreparation(Mixture mixture, List<TokenShards> parts) {
    this.mixture = mixture;
    this.parts = parts;
    this.examples = parts.stream().anyMatch(part -> part.manifest().examples());
    boolean masks = parts.get(0).manifest().maskDocuments();
    for (TokenShards part : parts) {
      if (!examples && part.manifest().maskDocuments() != masks) {
        throw new DataException(
            part.folder()
                + ": mask_documents: expected the same in all parts of a mixture, found "
                + !masks
                + " beside "
                + masks);
      }
    }
  }

  String inputsHash() {
    Sha256 all = new Sha256();
    parts.forEach(part -> all.add(part.manifest().inputsHash()));
    return all.hex();
  }

  String fingerprint(int shardTokens) {
    Sha256 all = new Sha256().add(RULES).add("shard_tokens " + shardTokens);
    for (int k = 0; k < parts.size(); k++) {
      all.add(parts.get(k).manifest().fingerprint()).add(mixture.parts().get(k).weight() + "");
    }
    return all.hex();
  }

  Manifest build(Path building, String fingerprint, int shardTokens, WorkPool pool)
      throws IOException {
    for (String name : List.of(TokenShards.DOCUMENTS, TokenShards.LEFT_OUT)) {
      if (parts.stream().noneMatch(part -> Files.exists(part.folder().resolve(name)))) {
        continue;
      }
      try (OutputStream out = Files.newOutputStream(building.resolve(name))) {
        for (TokenShards part : parts) {
          Path file = part.folder().resolve(name);
          if (Files.exists(file)) {
            Files.copy(file, out);
          }
        }
      }
    }
    Manifest like = parts.get(0).manifest();
    long perShard = Math.max(1, shardTokens / like.sequenceLength());
    List<JoinTask.Input> inputs = new ArrayList<>();
    for (SplitName split : SplitName.values()) {
      inputs.addAll(cuts(split, perShard));
    }
    ArrayList<String> folders = new ArrayList<>();
    parts.forEach(part -> folders.add(part.folder().toString()));
    List<Manifest.Shard> shards =
        pool.map("join", inputs, new JoinTask(folders, building.toString(), examples));
    Map<SplitName, Manifest.Part> splits = new EnumMap<>(SplitName.class);
    for (SplitName split : SplitName.values()) {
      List<Manifest.Shard> own = new ArrayList<>();
      for (int k = 0; k < inputs.size(); k++) {
        if (inputs.get(k).cut().split() == split) {
          own.add(shards.get(k));
        }
      }
      splits.put(split, part(split, own));
    }
    LeftOut leftOut = LeftOut.NONE;
    List<Manifest.Share> shares = new ArrayList<>();
    for (int k = 0; k < parts.size(); k++) {
      leftOut = leftOut.plus(parts.get(k).manifest().leftOut());
      long sequences = parts.get(k).part(SplitName.TRAIN).sequences();
      shares.add(new Manifest.Share(mixture.parts().get(k).weight(), sequences));
    }
    return new Manifest(
        fingerprint,
        inputsHash(),
        like.tokenizerHash(),
        like.vocabularySize(),
        like.separator(),
        like.tokenBytes(),
        like.sequenceLength(),
        examples || like.maskDocuments(),
        examples,
        true,
        leftOut,
        shares,
        splits);
  }

  /** The parts' sequences end to end, cut into shards. */
  private List<JoinTask.Input> cuts(SplitName split, long perShard) {
    List<JoinTask.Input> cuts = new ArrayList<>();
    ArrayList<long[]> pieces = new ArrayList<>();
    long first = 0;
    long held = 0;
    for (int k = 0; k < parts.size(); k++) {
      long sequences = parts.get(k).part(split).sequences();
      for (long at = 0; at < sequences; ) {
        long taken = Math.min(perShard - held, sequences - at);
        pieces.add(new long[] {k, at, taken});
        at += taken;
        held += taken;
        if (held == perShard) {
          cuts.add(new JoinTask.Input(cut(split, cuts.size(), first, held), pieces));
          pieces = new ArrayList<>();
          first += held;
          held = 0;
        }
      }
    }
    if (held > 0) {
      cuts.add(new JoinTask.Input(cut(split, cuts.size(), first, held), pieces));
    }
    return cuts;
  }

  private static ShardTask.Input cut(SplitName split, int number, long first, long count) {
    return new ShardTask.Input(split, number, first, count);
  }

  private Manifest.Part part(SplitName split, List<Manifest.Shard> shards) {
    long sequences = 0;
    long tokens = 0;
    long documents = 0;
    long textBytes = 0;
    for (TokenShards part : parts) {
      Manifest.Part held = part.part(split);
      sequences += held.sequences();
      tokens += held.tokens();
      documents += held.documents();
      textBytes += held.textBytes();
    }
    return new Manifest.Part(sequences, tokens, documents, textBytes, shards);
  }
}
