package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageInput;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * An open safetensors file whose header has been checked. Files of strangers are welcome; pickle
 * files are refused by name.
 */
public final class SafetensorsFile implements Closeable {
  private static final int COPY_BYTES = 1 << 20;

  private final StorageInput input;
  private final SafetensorsHeader header;

  private SafetensorsFile(StorageInput input, SafetensorsHeader header) {
    this.input = input;
    this.header = header;
  }

  /** Opens a file of a Hugging Face model directory or any other. */
  public static SafetensorsFile open(Storage storage, String name) {
    if (name.endsWith(".bin")
        || name.endsWith(".pt")
        || name.endsWith(".pth")
        || name.endsWith(".ckpt")) {
      throw new CheckpointException(
          name
              + ": a pickle file can run code when it is read; convert it to .safetensors where you trust it");
    }
    try {
      return of(storage.open(name), name);
    } catch (IOException broken) {
      throw new CheckpointException(name + ": " + broken.getMessage(), broken);
    }
  }

  /**
   * Takes over an open input, which is closed if its header is refused.
   *
   * @param name that errors show
   */
  public static SafetensorsFile of(StorageInput input, String name) throws IOException {
    try {
      return new SafetensorsFile(input, SafetensorsHeader.read(input, name));
    } catch (IOException | RuntimeException broken) {
      input.close();
      throw broken;
    }
  }

  public SafetensorsHeader header() {
    return header;
  }

  /** The entry of a tensor that must be there. */
  public TensorEntry entry(String tensor) {
    TensorEntry entry = header.tensors().get(tensor);
    if (entry == null) {
      throw new CheckpointException(
          header.file() + ": tensor " + tensor + ": expected in this file, found none");
    }
    return entry;
  }

  /** Copies a tensor's bytes as they are; the target has exactly its size. */
  public void read(String tensor, Span target) {
    TensorEntry entry = entry(tensor);
    if (entry.bytes() != target.bytes()) {
      throw new CheckpointException(
          header.file()
              + ": tensor "
              + tensor
              + ": expected "
              + target.bytes()
              + " bytes, found "
              + entry.bytes());
    }
    readBytes(entry, 0, target.buffer().duplicate());
  }

  /**
   * Copies a floating-point tensor into fp32 elements: F32 as it is, BF16 and F16 widened exactly.
   */
  public void readFloats(String tensor, Span target) {
    TensorEntry entry = entry(tensor);
    long elements = entry.bytes() / entry.dtype().bytes();
    if (elements * Float.BYTES != target.bytes()) {
      throw new CheckpointException(
          header.file()
              + ": tensor "
              + tensor
              + ": expected "
              + target.bytes() / Float.BYTES
              + " elements, found "
              + elements);
    }
    readFloats(tensor, 0, target);
  }

  /**
   * As above, of a run of the tensor's elements, as many as the target holds.
   *
   * @param from first element
   */
  public void readFloats(String tensor, long from, Span target) {
    TensorEntry entry = entry(tensor);
    if (!FloatCast.knows(entry.dtype())) {
      throw new CheckpointException(
          header.file()
              + ": tensor "
              + tensor
              + ": expected F32, BF16 or F16, found "
              + entry.dtype());
    }
    int size = entry.dtype().bytes();
    long end = (from + target.bytes() / Float.BYTES) * size;
    if (from < 0 || end > entry.bytes()) {
      throw new CheckpointException(
          header.file()
              + ": tensor "
              + tensor
              + ": expected a run inside its "
              + entry.bytes() / size
              + " elements, found "
              + target.bytes() / Float.BYTES
              + " from "
              + from);
    }
    ByteBuffer out = target.buffer();
    ByteBuffer piece = ByteBuffer.allocate(COPY_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long at = from * size; at < end; at += COPY_BYTES) {
      piece.clear().limit((int) Math.min(COPY_BYTES, end - at));
      readBytes(entry, at, piece);
      FloatCast.cast(entry.dtype(), piece.flip(), SafetensorsType.F32, out);
    }
  }

  /** Fills the buffer's remaining space with a tensor's bytes from {@code offset}. */
  public void readBytes(TensorEntry entry, long offset, ByteBuffer target) {
    try {
      input.readFully(header.dataStart() + entry.begin() + offset, target);
    } catch (IOException broken) {
      throw new CheckpointException(
          header.file() + ": tensor " + entry.name() + ": " + broken.getMessage(), broken);
    }
  }

  @Override
  public void close() {
    try {
      input.close();
    } catch (IOException broken) {
      throw new CheckpointException(header.file() + ": " + broken.getMessage(), broken);
    }
  }
}
