package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Streams one safetensors file and hashes it on the way. The list of tensors is fixed before the
 * first byte, contents follow in that order in pieces of any size; {@link #finish} forces the file
 * to disk. A writer that is closed before leaves no file.
 */
final class SafetensorsWriter implements Closeable {
  /** Name, type and extents of a tensor to be written. */
  record Declared(String name, SafetensorsType dtype, List<Long> dims) {
    long bytes() {
      long elements = 1;
      for (long dim : dims) {
        elements = Math.multiplyExact(elements, dim);
      }
      return Math.multiplyExact(elements, (long) dtype.bytes());
    }
  }

  /** What a finished file holds: its hash and the tensors with their own. */
  record Written(FileHash hash, List<StoredTensor> tensors) {}

  private final String name;
  private final StorageOutput output;
  private final List<TensorEntry> entries;
  private final Hashing hashing = new Hashing(FileHash.BLOCK_BYTES);
  private final List<StoredTensor> stored = new ArrayList<>();
  private final long dataStart;
  private final MessageDigest tensorDigest = Hashing.sha256();
  private int current;
  private long inCurrent;

  SafetensorsWriter(
      Storage storage, String name, List<Declared> tensors, Map<String, String> metadata)
      throws IOException {
    this.name = name;
    this.entries = entries(name, tensors);
    byte[] header = SafetensorsHeader.write(entries, metadata);
    this.dataStart = 8L + header.length;
    this.output = storage.create(name);
    try {
      ByteBuffer length =
          ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length);
      put(length);
      put(ByteBuffer.wrap(header));
    } catch (IOException | RuntimeException failed) {
      output.close();
      throw failed;
    }
  }

  private static List<TensorEntry> entries(String file, List<Declared> tensors) {
    List<TensorEntry> entries = new ArrayList<>();
    Set<String> names = new HashSet<>();
    long at = 0;
    for (Declared tensor : tensors) {
      if (!names.add(tensor.name())
          || tensor.name().isEmpty()
          || tensor.name().equals("__metadata__")) {
        throw new CheckpointException(
            file
                + ": tensor "
                + tensor.name()
                + ": expected a new name, found a second or reserved one");
      }
      long end = at + tensor.bytes();
      entries.add(new TensorEntry(tensor.name(), tensor.dtype(), tensor.dims(), at, end));
      at = end;
    }
    return List.copyOf(entries);
  }

  /** Appends bytes to the next unfinished tensor; one call never spans two tensors. */
  void append(String tensor, ByteBuffer content) throws IOException {
    skipEmpty(tensor);
    TensorEntry entry = current < entries.size() ? entries.get(current) : null;
    if (entry == null
        || !entry.name().equals(tensor)
        || inCurrent + content.remaining() > entry.bytes()) {
      throw new CheckpointException(
          name
              + ": tensor "
              + tensor
              + ": expected the next bytes of "
              + (entry == null ? "nothing" : entry.name()));
    }
    inCurrent += content.remaining();
    tensorDigest.update(content.duplicate());
    put(content.duplicate());
    if (inCurrent == entry.bytes()) {
      endTensor(entry);
    }
  }

  private void skipEmpty(String upTo) {
    while (current < entries.size()
        && entries.get(current).bytes() == 0
        && !entries.get(current).name().equals(upTo)) {
      endTensor(entries.get(current));
    }
  }

  private void endTensor(TensorEntry entry) {
    String sha256 = HexFormat.of().formatHex(tensorDigest.digest());
    long offset = dataStart + entry.begin();
    stored.add(
        new StoredTensor(entry.name(), entry.dtype(), entry.dims(), offset, entry.bytes(), sha256));
    inCurrent = 0;
    current++;
  }

  private void put(ByteBuffer content) throws IOException {
    hashing.update(content);
    output.write(content);
  }

  /** Forces the file to disk; every declared byte must have been appended. */
  Written finish() throws IOException {
    skipEmpty("");
    if (current != entries.size()) {
      throw new CheckpointException(
          name
              + ": tensor "
              + entries.get(current).name()
              + ": expected "
              + entries.get(current).bytes()
              + " bytes, found "
              + inCurrent);
    }
    Failpoint.PART_SYNC.before();
    output.commit();
    Failpoint.PART_SYNC.after();
    return new Written(hashing.finish(), List.copyOf(stored));
  }

  @Override
  public void close() throws IOException {
    output.close();
  }
}
