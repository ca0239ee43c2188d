package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** Reads generations back, believing nothing: commit, then state, then every byte of every part. */
final class GenerationReader {
  private static final int MAX_STATE_BYTES = 4 << 20;

  /** Below, threads cost more than they save. */
  private static final long ALONE_BYTES = 1 << 20;

  private final Storage storage;
  private final Crew crew;

  GenerationReader(Storage storage, Crew crew) {
    this.storage = storage;
    this.crew = crew;
  }

  /** Reads a commit and checks it against its own name; parts are not touched. */
  Manifest manifest(Layout.Point point) throws IOException {
    String path = point.commitPath();
    Manifest manifest = Manifest.read(storage.read(path, Layout.MAX_COMMIT_BYTES), path);
    if (!manifest.point().equals(point)) {
      throw new CheckpointException(
          path + ": expected the commit of " + point.id() + ", found " + manifest.point().id());
    }
    if (!Layout.isGenerationFolder(manifest.folder(), point)) {
      throw new CheckpointException(
          path + ": expected a folder of " + point.id() + ", found another");
    }
    return manifest;
  }

  /**
   * Looks whether a store still has the commit that it acknowledged.
   *
   * @return false if it cannot tell right now
   * @throws CheckpointException if it has lost it or some of it
   */
  boolean isStored(Layout.Point point, byte[] commit) {
    String path = point.commitPath();
    try {
      if (!Arrays.equals(storage.read(path, Layout.MAX_COMMIT_BYTES), commit)) {
        throw new CheckpointException(
            path + ": expected the bytes that were committed, found others");
      }
      return true;
    } catch (NoSuchFileException lost) {
      throw new CheckpointException(path + ": expected a commit, found none", lost);
    } catch (IOException unknown) {
      return false;
    }
  }

  /** Verifies a generation whole; the exception says what is wrong with it. */
  Generation verify(Layout.Point point) throws IOException {
    byte[] bytes = storage.read(point.commitPath(), Layout.MAX_COMMIT_BYTES);
    Manifest manifest = manifest(point);
    Coverage.check(point.commitPath(), manifest.folder(), manifest.worldSize(), manifest.parts());
    TrainState state = state(manifest);
    if (state.step() != point.step()) {
      throw new CheckpointException(
          manifest.folder()
              + "/"
              + Layout.STATE
              + ": expected step "
              + point.step()
              + ", found "
              + state.step());
    }
    String stateHash = StateHash.of(manifest.parts(), state);
    if (!stateHash.equals(manifest.stateHash())) {
      throw new CheckpointException(
          point.commitPath()
              + ": expected state hash "
              + manifest.stateHash()
              + ", found "
              + stateHash);
    }
    verifyFile(manifest.folder(), manifest.file(Layout.INDEX));
    verifyParts(manifest.parts());
    return new Generation(point.id(), Hashing.sha256(bytes), manifest, state);
  }

  private TrainState state(Manifest manifest) throws IOException {
    StoredFile file = manifest.file(Layout.STATE);
    String path = manifest.folder() + "/" + Layout.STATE;
    if (file.hash().bytes() > MAX_STATE_BYTES) {
      throw new CheckpointException(
          path + ": expected at most " + MAX_STATE_BYTES + " bytes, found " + file.hash().bytes());
    }
    try (VerifiedInput input = new VerifiedInput(storage.open(path), path, file.hash())) {
      input.verifyAll();
      ByteBuffer content = ByteBuffer.allocate((int) file.hash().bytes());
      input.readFully(0, content);
      return TrainState.read(content.array(), path);
    }
  }

  /** Verifies a small file of a generation. */
  void verifyFile(String folder, StoredFile file) throws IOException {
    String path = folder + "/" + file.name();
    try (VerifiedInput input = new VerifiedInput(storage.open(path), path, file.hash())) {
      input.verifyAll();
    }
  }

  /** Verifies parts, several at a time; of several broken ones the first in order is named. */
  void verifyParts(List<PartDescriptor> parts) throws IOException {
    long bytes = parts.stream().mapToLong(part -> part.hash().bytes()).sum();
    Crew some = bytes < ALONE_BYTES ? crew.with(1) : crew;
    some.each("verify", parts, this::verifyPart);
  }

  /** Length, every CRC, SHA-256, header rules, and the header's agreement with the descriptor. */
  private void verifyPart(PartDescriptor part) throws IOException {
    try (VerifiedInput input = openInput(part)) {
      input.verifyAll();
      checkHeader(part, SafetensorsHeader.read(input, part.path()));
    }
  }

  private VerifiedInput openInput(PartDescriptor part) throws IOException {
    StorageInput input = storage.open(part.path());
    try {
      return new VerifiedInput(input, part.path(), part.hash());
    } catch (IOException | RuntimeException broken) {
      input.close();
      throw broken;
    }
  }

  /** Opens a part whose blocks are checked as they are read. */
  SafetensorsFile open(PartDescriptor part) throws IOException {
    return SafetensorsFile.of(openInput(part), part.path());
  }

  /** A run of a tensor's bytes: it may be larger than any span. */
  void read(Generation generation, PartKind kind, String name, long from, Span target)
      throws IOException {
    for (PartDescriptor part : generation.manifest().parts(kind)) {
      for (StoredTensor tensor : part.tensors()) {
        if (tensor.name().equals(name)) {
          if (from < 0 || from + target.bytes() > tensor.bytes()) {
            throw new IllegalArgumentException(
                name
                    + ": expected a run of its "
                    + tensor.bytes()
                    + " bytes, found one at "
                    + from);
          }
          try (SafetensorsFile file = open(part)) {
            file.readBytes(file.entry(name), from, target.buffer());
            return;
          }
        }
      }
    }
    throw new CheckpointException(
        generation.id() + ": tensor " + name + ": expected in the checkpoint, found none");
  }

  private static void checkHeader(PartDescriptor part, SafetensorsHeader header) {
    if (header.tensors().size() != part.tensors().size()) {
      throw new CheckpointException(
          part.path()
              + ": expected "
              + part.tensors().size()
              + " tensors, found "
              + header.tensors().size());
    }
    for (StoredTensor expected : part.tensors()) {
      TensorEntry found = header.tensors().get(expected.name());
      if (found == null
          || found.dtype() != expected.dtype()
          || !found.dims().equals(expected.dims())
          || header.dataStart() + found.begin() != expected.offset()
          || found.bytes() != expected.bytes()) {
        throw new CheckpointException(
            part.path()
                + ": tensor "
                + expected.name()
                + ": expected "
                + expected
                + ", found "
                + found);
      }
    }
  }

  /**
   * Fills the targets; shapes and coverage are checked before the first byte is read, every part
   * before the first byte is copied, the contents of each target behind its last.
   */
  void load(Generation generation, PartKind kind, Map<String, TensorTarget> targets)
      throws IOException {
    checkTargets(generation, kind, targets);
    Failpoint.RESTORE_READ.before();
    List<PartDescriptor> parts =
        generation.manifest().parts(kind).stream()
            .filter(part -> part.tensors().stream().anyMatch(each -> wanted(targets, each)))
            .toList();
    verifyParts(parts);
    try (TargetFiller filler = new TargetFiller(crew, this::fill)) {
      for (PartDescriptor part : parts) {
        for (StoredTensor tensor : part.tensors()) {
          if (wanted(targets, tensor)) {
            filler.add(part, tensor, Objects.requireNonNull(targets.get(tensor.name())));
          }
        }
      }
      filler.finish();
    }
    Failpoint.RESTORE_READ.after();
  }

  private static boolean wanted(Map<String, TensorTarget> targets, StoredTensor tensor) {
    return Objects.requireNonNull(targets.get(tensor.name())).isWanted();
  }

  /** Blocks are checked once more on their way: nothing may slip in since the part verified. */
  private void fill(PartDescriptor part, StoredTensor tensor, Span room) throws IOException {
    try (VerifiedInput input = openInput(part)) {
      input.readFully(tensor.offset(), room.buffer());
      requireSame(part, tensor, room);
    }
  }

  private static void requireSame(PartDescriptor part, StoredTensor tensor, Span room) {
    String found = Hashing.sha256(room.buffer());
    if (!found.equals(tensor.sha256())) {
      throw new CheckpointException(
          part.path()
              + ": tensor "
              + tensor.name()
              + ": expected sha256 "
              + tensor.sha256()
              + " in memory, found "
              + found);
    }
  }

  private static void checkTargets(
      Generation generation, PartKind kind, Map<String, TensorTarget> targets) {
    String where = generation.id() + " (" + kind.word() + ")";
    Map<String, StoredTensor> stored = generation.tensors(kind);
    for (TensorTarget target : targets.values()) {
      StoredTensor tensor = stored.get(target.name());
      if (tensor == null) {
        throw new CheckpointException(
            where + ": tensor " + target.name() + ": expected in the checkpoint, found none");
      }
      List<Long> dims = TensorEntry.dims(target.shape());
      if (!dims.equals(tensor.dims()) || tensor.dtype() != SafetensorsType.of(target.dtype())) {
        throw new CheckpointException(
            where
                + ": tensor "
                + target.name()
                + ": expected "
                + target.dtype()
                + dims
                + ", found "
                + tensor.dtype()
                + tensor.dims());
      }
    }
    for (String name : stored.keySet()) {
      if (!targets.containsKey(name)) {
        throw new CheckpointException(
            where + ": tensor " + name + ": found in the checkpoint, expected none of that name");
      }
    }
  }
}
