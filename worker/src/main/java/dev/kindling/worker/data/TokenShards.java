package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * A prepared set on disk: {@code manifest.json}, {@code documents.jsonl} (name, split and size of
 * each document in stream order) and shards of records. A record is L + 1 tokens, little-endian,
 * and a CRC32C (see {@link RecordSum}), so that a flipped byte is found when it is read and not a
 * whole file earlier.
 *
 * <p>In a set of examples L + 1 bytes of {@link ExampleFlags} stand between both, under the same
 * CRC: which tokens count in the loss and where an example begins. An example lies whole in one
 * record; behind the last is padding of separators that do not count.
 */
public final class TokenShards {
  static final String MANIFEST = "manifest.json";
  static final String TOKENIZER = "tokenizer.bin";
  static final String DOCUMENTS = "documents.jsonl";
  static final String LEFT_OUT = "left-out.txt";

  private final Path folder;
  private final Manifest manifest;

  private TokenShards(Path folder, Manifest manifest) {
    this.folder = folder;
    this.manifest = manifest;
  }

  /**
   * Reads the manifest and checks the sizes of all shards; contents are checked as they are read.
   *
   * @throws DataException when the folder is no prepared set, or one that lost bytes
   */
  public static TokenShards open(Path folder) {
    Path file = folder.resolve(MANIFEST);
    Manifest manifest;
    try {
      manifest = Manifest.fromJson(Files.readAllBytes(file), file.toString());
    } catch (NoSuchFileException e) {
      throw new DataException(
          folder + ": expected a prepared set (data prepare), found no " + MANIFEST, e);
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    } catch (JsonException e) {
      throw new DataException(file + ": damaged: byte " + e.offset() + ": " + e.reason(), e);
    }
    TokenShards shards = new TokenShards(folder, manifest);
    shards.checkSizes();
    return shards;
  }

  public Manifest manifest() {
    return manifest;
  }

  /**
   * The tokenizer that made the set.
   *
   * @throws DataException when it is damaged
   */
  public Tokenizer tokenizer() {
    Path file = folder.resolve(TOKENIZER);
    try {
      Tokenizer tokenizer = Tokenizer.restore(Files.readAllBytes(file), file.toString());
      if (!tokenizer.hash().equals(manifest.tokenizerHash())) {
        tokenizer.close();
        throw new DataException(
            file + ": expected " + manifest.tokenizerHash() + ", found " + tokenizer.hash());
      }
      return tokenizer;
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    }
  }

  public Path folder() {
    return folder;
  }

  public Manifest.Part part(SplitName split) {
    return manifest.part(split);
  }

  /**
   * Tells the tokens of each document of a split, in stream order and without separators, as {@code
   * documents.jsonl} has them.
   *
   * @throws DataException when that file is missing or damaged
   */
  public void documentTokens(SplitName split, LongConsumer told) {
    Path file = folder.resolve(DOCUMENTS);
    try (Stream<String> lines = Files.lines(file)) {
      lines.forEach(
          line -> {
            Json.Obj document =
                JsonReader.read(line.getBytes(StandardCharsets.UTF_8), file.toString())
                    .asObject("document");
            if (document.text("split").equals(split.word())) {
              told.accept(document.integer("tokens", 0, Long.MAX_VALUE));
            }
          });
    } catch (IOException | UncheckedIOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    } catch (JsonException e) {
      throw new DataException(file + ": damaged: " + e.reason(), e);
    }
  }

  private void checkSizes() {
    for (SplitName split : SplitName.values()) {
      long full = part(split).shards().isEmpty() ? 0 : part(split).shards().get(0).sequences();
      int number = 0;
      for (Manifest.Shard shard : part(split).shards()) {
        Path file = folder.resolve(shard.file());
        long expected = shard.sequences() * manifest.recordBytes();
        long found;
        try {
          found = Files.size(file);
        } catch (IOException e) {
          throw new DataException(file + ": expected a shard, found none: " + e, e);
        }
        boolean last = ++number == part(split).shards().size();
        if (found != expected || !(last || shard.sequences() == full)) {
          throw new DataException(
              file + ": expected " + expected + " bytes, found " + found + " (truncated?)");
        }
      }
    }
  }

  /**
   * Reads every byte and compares it with the manifest.
   *
   * @throws DataException naming the first shard that differs, with both hashes
   */
  public void verify() {
    for (SplitName split : SplitName.values()) {
      for (Manifest.Shard shard : part(split).shards()) {
        Path file = folder.resolve(shard.file());
        try {
          String found = Sha256.of(file);
          if (!found.equals(shard.sha256())) {
            throw new DataException(
                file + ": expected SHA-256 " + shard.sha256() + ", found " + found);
          }
        } catch (IOException e) {
          throw new DataException(file + ": cannot be read: " + e, e);
        }
      }
    }
  }

  /**
   * @throws DataException when the set was made with another tokenizer or sequence length
   */
  public void require(Tokenizer tokenizer, int sequenceLength) {
    if (!tokenizer.hash().equals(manifest.tokenizerHash())) {
      throw new DataException(
          folder
              + ": wrong tokenizer: the set was made with "
              + manifest.tokenizerHash()
              + ", the configuration names "
              + tokenizer.hash());
    }
    if (sequenceLength != manifest.sequenceLength()) {
      throw new DataException(
          folder
              + ": wrong sequence_length: the set was made with "
              + manifest.sequenceLength()
              + ", the configuration says "
              + sequenceLength);
    }
  }

  void requireSame(String fingerprint, String inputsHash) {
    if (!inputsHash.equals(manifest.inputsHash())) {
      throw new DataException(
          folder
              + ": changed inputs: the set was made from "
              + manifest.inputsHash()
              + ", the inputs are now "
              + inputsHash
              + "; name another folder or delete this one");
    }
    if (!fingerprint.equals(manifest.fingerprint())) {
      throw new DataException(
          folder
              + ": changed settings: the set has fingerprint "
              + manifest.fingerprint()
              + ", the configuration "
              + fingerprint
              + "; name another folder or delete this one");
    }
  }
}
