package dev.kindling.worker.data;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.BuildFolder;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * The folder of a prepared set: used as it is if it holds the same, else built beside and renamed.
 */
final class SetFolder {
  private final Path target;
  private final Tokenizer tokenizer;
  private final int sequenceLength;

  SetFolder(Path target, Tokenizer tokenizer, int sequenceLength) {
    this.target = target.toAbsolutePath().normalize();
    this.tokenizer = tokenizer;
    this.sequenceLength = sequenceLength;
  }

  /** Writes everything but tokenizer and manifest into a folder. */
  interface Build {
    Manifest into(Path building) throws IOException;
  }

  /**
   * @throws DataException if the folder holds another set, or cannot be written
   */
  TokenShards holding(String fingerprint, String inputsHash, Build build) {
    BuildFolder.sweep(target);
    if (Files.exists(target.resolve(TokenShards.MANIFEST))) {
      TokenShards present = TokenShards.open(target);
      present.require(tokenizer, sequenceLength);
      present.requireSame(fingerprint, inputsHash);
      return present;
    }
    try (BuildFolder folder = BuildFolder.beside(target)) {
      Path building = folder.path();
      Manifest manifest = build.into(building);
      Files.write(building.resolve(TokenShards.TOKENIZER), tokenizer.save());
      write(building.resolve(TokenShards.MANIFEST), manifest.toJson());
      publish(building, target);
    } catch (IOException e) {
      throw new DataException(target + ": cannot be written: " + e, e);
    }
    TokenShards made = TokenShards.open(target);
    made.requireSame(fingerprint, inputsHash);
    return made;
  }

  private static void write(Path file, String text) throws IOException {
    Files.writeString(file, text);
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  private static void publish(Path building, Path target) throws IOException {
    try {
      Failpoint.DATA_PUBLISH.before();
      Files.move(building, target, StandardCopyOption.ATOMIC_MOVE);
      Failpoint.DATA_PUBLISH.after();
    } catch (FileSystemException e) {
      // rename(2) onto a folder that is not empty arrives here in several classes.
      if (!Files.isDirectory(target)) {
        throw e;
      }
      lost(target);
    }
  }

  /** Another process may have published the same set first; anything else in the way is refused. */
  private static void lost(Path target) {
    if (!Files.exists(target.resolve(TokenShards.MANIFEST))) {
      throw new DataException(
          target + ": expected an absent or empty folder, found one that is no prepared set");
    }
  }
}
