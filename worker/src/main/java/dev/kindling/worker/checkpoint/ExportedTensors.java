package dev.kindling.worker.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/** The weights that an export writes, wherever they are; read piece by piece, one by one. */
public interface ExportedTensors extends AutoCloseable {
  /**
   * A tensor as it is stored.
   *
   * @param name Hugging Face name
   * @param dims extents, outermost first
   * @param sha256 what its bytes must hash to, where somebody knows
   */
  record Stored(String name, SafetensorsType dtype, List<Long> dims, Optional<String> sha256) {
    public Stored {
      dims = List.copyOf(dims);
    }

    long elements() {
      return dims.stream().reduce(1L, Math::multiplyExact);
    }

    long bytes() {
      return Math.multiplyExact(elements(), (long) dtype.bytes());
    }
  }

  /** All tensors in the order in which they are written. */
  List<Stored> tensors();

  /** Fills the buffer's remaining space with a tensor's bytes from {@code offset}. */
  void read(Stored tensor, long offset, ByteBuffer target) throws IOException;

  @Override
  void close();
}
