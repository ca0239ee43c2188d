package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.BuildFolder;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Writes the weights of a generation as a Hugging Face model directory. Everything is written
 * beside the target and forced to disk, then one rename makes the directory appear; a failure
 * leaves no directory. Weights stream through one small buffer.
 */
public final class HuggingFaceExport {
  /** Beyond this size weights are split, as the Hub's own tools do. */
  static final long SHARD_BYTES = 5_000_000_000L;

  private static final int PIECE_BYTES = 1 << 20;

  private HuggingFaceExport() {}

  /**
   * What stands beside the weights.
   *
   * @param config text of {@code config.json}
   * @param files further files by their name in the directory, for example {@code tokenizer.json}
   */
  public record Companions(String config, Map<String, Path> files) {}

  /**
   * Exports a verified generation.
   *
   * @param target a folder that is absent or empty
   * @throws CheckpointException if the target holds anything, or a byte of the weights is not what
   *     the commit says
   */
  public static void write(
      CheckpointStore store, Generation generation, Companions companions, Path target) {
    write(store, generation, companions, target, SHARD_BYTES);
  }

  static void write(
      CheckpointStore store,
      Generation generation,
      Companions companions,
      Path target,
      long shardBytes) {
    Path absolute = target.toAbsolutePath().normalize();
    try {
      requireEmpty(absolute);
      BuildFolder.sweep(absolute);
      try (BuildFolder building = BuildFolder.beside(absolute)) {
        Path staging = building.path().resolve("model");
        Storage storage = new LocalStorage(staging);
        fill(storage, store, generation, companions, shardBytes);
        Failpoint.EXPORT_PUBLISH.before();
        Files.move(staging, absolute, StandardCopyOption.ATOMIC_MOVE);
        Failpoint.EXPORT_PUBLISH.after();
      }
    } catch (IOException failed) {
      throw new CheckpointException(
          target + ": " + failed.getClass().getSimpleName() + ": " + failed.getMessage(), failed);
    }
  }

  private static void requireEmpty(Path target) throws IOException {
    if (!Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (!Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
      throw new CheckpointException(
          target + ": expected an absent or empty folder, found a file or a link");
    }
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(target)) {
      if (entries.iterator().hasNext()) {
        throw new CheckpointException(
            target + ": expected an absent or empty folder, found files in it");
      }
    }
  }

  private static void fill(
      Storage storage,
      CheckpointStore store,
      Generation generation,
      Companions companions,
      long shardBytes)
      throws IOException {
    put(
        storage,
        "config.json",
        ByteBuffer.wrap(companions.config().getBytes(StandardCharsets.UTF_8)));
    for (Map.Entry<String, Path> file : companions.files().entrySet()) {
      put(storage, file.getKey(), ByteBuffer.wrap(Files.readAllBytes(file.getValue())));
    }
    List<List<StoredTensor>> shards = shards(generation, shardBytes);
    Map<String, String> fileOf = new TreeMap<>();
    long bytes = 0;
    try (Source source = new Source(store, generation)) {
      for (int i = 0; i < shards.size(); i++) {
        String name =
            shards.size() == 1
                ? "model.safetensors"
                : String.format(
                    Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
        copy(source, shards.get(i), storage, name);
        for (StoredTensor tensor : shards.get(i)) {
          fileOf.put(tensor.name(), name);
          bytes += tensor.bytes();
        }
      }
    }
    Failpoint.EXPORT_INDEX.before();
    if (shards.size() > 1) {
      put(storage, Layout.INDEX, ByteBuffer.wrap(WeightIndex.of(fileOf, bytes)));
    }
    Failpoint.EXPORT_INDEX.after();
  }

  private static void put(Storage storage, String name, ByteBuffer content) throws IOException {
    try (StorageOutput output = storage.create(name)) {
      output.write(content);
      output.commit();
    }
  }

  private static List<List<StoredTensor>> shards(Generation generation, long shardBytes) {
    List<List<StoredTensor>> shards = new ArrayList<>();
    List<StoredTensor> shard = new ArrayList<>();
    long bytes = 0;
    for (StoredTensor tensor : generation.tensors(PartKind.MODEL).values()) {
      if (!shard.isEmpty() && bytes + tensor.bytes() > shardBytes) {
        shards.add(List.copyOf(shard));
        shard.clear();
        bytes = 0;
      }
      shard.add(tensor);
      bytes += tensor.bytes();
    }
    shards.add(List.copyOf(shard));
    return shards;
  }

  private static void copy(Source source, List<StoredTensor> tensors, Storage storage, String name)
      throws IOException {
    List<SafetensorsWriter.Declared> declared = new ArrayList<>();
    for (StoredTensor tensor : tensors) {
      declared.add(new SafetensorsWriter.Declared(tensor.name(), tensor.dtype(), tensor.dims()));
    }
    try (SafetensorsWriter writer =
        new SafetensorsWriter(storage, name, declared, Map.of("format", "pt"))) {
      ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
      for (StoredTensor tensor : tensors) {
        SafetensorsFile file = source.fileOf(tensor.name());
        for (long at = 0; at < tensor.bytes(); at += PIECE_BYTES) {
          piece.clear().limit((int) Math.min(PIECE_BYTES, tensor.bytes() - at));
          file.readBytes(file.entry(tensor.name()), at, piece);
          writer.append(tensor.name(), piece.flip());
        }
      }
      requireSame(name, tensors, writer.finish().tensors());
    }
  }

  private static void requireSame(
      String name, List<StoredTensor> expected, List<StoredTensor> found) {
    for (int i = 0; i < expected.size(); i++) {
      if (!expected.get(i).sha256().equals(found.get(i).sha256())) {
        throw new CheckpointException(
            name
                + ": tensor "
                + expected.get(i).name()
                + ": expected sha256 "
                + expected.get(i).sha256()
                + ", found "
                + found.get(i).sha256());
      }
    }
  }

  /**
   * The model parts of a generation; one is open at a time, since neighbours in name are mostly
   * neighbours in a part.
   */
  private static final class Source implements AutoCloseable {
    private final CheckpointStore store;
    private final Map<String, PartDescriptor> partOf = new TreeMap<>();
    private @Nullable PartDescriptor openPart;
    private @Nullable SafetensorsFile openFile;

    Source(CheckpointStore store, Generation generation) {
      this.store = store;
      for (PartDescriptor part : generation.manifest().parts(PartKind.MODEL)) {
        part.tensors().forEach(tensor -> partOf.put(tensor.name(), part));
      }
    }

    SafetensorsFile fileOf(String tensor) throws IOException {
      PartDescriptor part = Objects.requireNonNull(partOf.get(tensor));
      SafetensorsFile file = openFile;
      if (file == null || !part.equals(openPart)) {
        close();
        file = store.reader().open(part);
        openFile = file;
        openPart = part;
      }
      return file;
    }

    @Override
    public void close() {
      SafetensorsFile file = openFile;
      openFile = null;
      if (file != null) {
        file.close();
      }
    }
  }
}
