package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.BuildFolder;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes weights as a Hugging Face model directory. Everything is written beside the target and
 * forced to disk, then one rename makes the directory appear; a failure leaves no directory.
 * Weights stream through two small buffers.
 */
public final class HuggingFaceExport {
  /** Beyond this size weights are split, as the Hub's own tools do. */
  public static final long SHARD_BYTES = 5_000_000_000L;

  private static final int PIECE_BYTES = 1 << 20;

  private static final Names MODEL = new Names("config.json", "model");

  private final ExportedTensors tensors;
  private final Map<String, SafetensorsType> dtypes;
  private final Names names;
  private final long shardBytes;

  private HuggingFaceExport(
      ExportedTensors tensors, Map<String, SafetensorsType> dtypes, Names names, long shardBytes) {
    this.tensors = tensors;
    this.dtypes = dtypes;
    this.names = names;
    this.shardBytes = shardBytes;
  }

  /**
   * What the files are called.
   *
   * @param config whole name
   * @param weights name before {@code .safetensors}
   */
  public record Names(String config, String weights) {}

  /**
   * What stands beside the weights.
   *
   * @param config text of {@code config.json}
   * @param files further files by their name in the directory, for example {@code tokenizer.json}
   */
  public record Companions(String config, Map<String, byte[]> files) {}

  /** The verified weights of a generation, to be closed. */
  public static ExportedTensors of(CheckpointStore store, Generation generation) {
    return new GenerationTensors(store, generation);
  }

  /**
   * Exports weights.
   *
   * @param dtypes by the names of tensors, in what type to write them; others stay as they are
   * @param shardBytes beyond this size weights are split into several files
   * @param target a folder that is absent or empty
   * @throws CheckpointException if the target holds anything, a byte of the weights is not what it
   *     should be, or a weight is too large for the type in which it is to be written
   */
  public static void write(
      ExportedTensors tensors,
      Map<String, SafetensorsType> dtypes,
      Companions companions,
      long shardBytes,
      Path target) {
    write(tensors, dtypes, companions, MODEL, shardBytes, target);
  }

  /** As above, under other names. */
  public static void write(
      ExportedTensors tensors,
      Map<String, SafetensorsType> dtypes,
      Companions companions,
      Names names,
      long shardBytes,
      Path target) {
    Path absolute = target.toAbsolutePath().normalize();
    HuggingFaceExport export = new HuggingFaceExport(tensors, dtypes, names, shardBytes);
    try {
      requireEmpty(absolute);
      BuildFolder.sweep(absolute);
      try (BuildFolder building = BuildFolder.beside(absolute)) {
        Path staging = building.path().resolve("model");
        export.fill(new LocalStorage(staging), companions);
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

  private void fill(Storage storage, Companions companions) throws IOException {
    put(
        storage,
        names.config(),
        ByteBuffer.wrap(companions.config().getBytes(StandardCharsets.UTF_8)));
    for (Map.Entry<String, byte[]> file : companions.files().entrySet()) {
      put(storage, file.getKey(), ByteBuffer.wrap(file.getValue()));
    }
    List<List<ExportedTensors.Stored>> shards = shards();
    Map<String, String> fileOf = new TreeMap<>();
    long bytes = 0;
    for (int i = 0; i < shards.size(); i++) {
      String name =
          shards.size() == 1
              ? names.weights() + ".safetensors"
              : String.format(
                  Locale.ROOT,
                  "%s-%05d-of-%05d.safetensors",
                  names.weights(),
                  i + 1,
                  shards.size());
      copy(shards.get(i), storage, name);
      for (ExportedTensors.Stored tensor : shards.get(i)) {
        fileOf.put(tensor.name(), name);
        bytes += written(tensor).bytes();
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

  private SafetensorsWriter.Declared written(ExportedTensors.Stored tensor) {
    SafetensorsType dtype = dtypes.getOrDefault(tensor.name(), tensor.dtype());
    return new SafetensorsWriter.Declared(tensor.name(), dtype, tensor.dims());
  }

  private List<List<ExportedTensors.Stored>> shards() {
    List<List<ExportedTensors.Stored>> shards = new ArrayList<>();
    List<ExportedTensors.Stored> shard = new ArrayList<>();
    long bytes = 0;
    for (ExportedTensors.Stored tensor : tensors.tensors()) {
      long more = written(tensor).bytes();
      if (!shard.isEmpty() && bytes + more > shardBytes) {
        shards.add(List.copyOf(shard));
        shard.clear();
        bytes = 0;
      }
      shard.add(tensor);
      bytes += more;
    }
    shards.add(List.copyOf(shard));
    return shards;
  }

  private void copy(List<ExportedTensors.Stored> shard, Storage storage, String name)
      throws IOException {
    List<SafetensorsWriter.Declared> declared = shard.stream().map(this::written).toList();
    ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer cast = ByteBuffer.allocate(2 * PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (SafetensorsWriter writer =
        new SafetensorsWriter(storage, name, declared, Map.of("format", "pt"))) {
      for (int i = 0; i < shard.size(); i++) {
        ExportedTensors.Stored tensor = shard.get(i);
        MessageDigest digest = Hashing.sha256();
        for (long at = 0; at < tensor.bytes(); at += PIECE_BYTES) {
          piece.clear().limit((int) Math.min(PIECE_BYTES, tensor.bytes() - at));
          tensors.read(tensor, at, piece);
          digest.update(piece.flip().duplicate());
          FloatCast.cast(tensor.dtype(), piece, declared.get(i).dtype(), cast.clear());
          requireFinite(tensor, at / tensor.dtype().bytes(), declared.get(i).dtype(), cast.flip());
          writer.append(tensor.name(), cast);
        }
        requireSame(name, tensor, HexFormat.of().formatHex(digest.digest()));
      }
      writer.finish();
    }
  }

  /** A number that another type cannot hold would be an infinity, which no model survives. */
  private static void requireFinite(
      ExportedTensors.Stored tensor, long first, SafetensorsType dtype, ByteBuffer cast) {
    if (dtype == tensor.dtype() || dtype == SafetensorsType.F32) {
      return;
    }
    for (int i = 0; i < cast.limit() / dtype.bytes(); i++) {
      if (!Float.isFinite(FloatCast.widened(dtype, cast.getShort(i * dtype.bytes())))) {
        throw new CheckpointException(
            "tensor "
                + tensor.name()
                + ": element "
                + (first + i)
                + ": expected a number that "
                + dtype
                + " can hold, found one that is too large or none");
      }
    }
  }

  private static void requireSame(String name, ExportedTensors.Stored tensor, String found) {
    String expected = tensor.sha256().orElse(found);
    if (!expected.equals(found)) {
      throw new CheckpointException(
          name
              + ": tensor "
              + tensor.name()
              + ": expected sha256 "
              + expected
              + ", found "
              + found);
    }
  }
}
