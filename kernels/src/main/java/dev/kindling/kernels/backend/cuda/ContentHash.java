package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Set;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Fingerprints of device memory, made where it lies; see {@code hash.cu}. */
final class ContentHash {
  private static final int THREADS = 256;
  private static final int BLOCKS_PER_MULTIPROCESSOR = 8;
  private static final int WORDS_PER_THREAD = 4;

  /**
   * A run of memory.
   *
   * @param address 16-byte aligned
   * @param bytes a multiple of 4
   */
  record Run(long address, long bytes) {
    long words() {
      return bytes / Integer.BYTES;
    }
  }

  private ContentHash() {}

  /** One hash for each run; waits for all that the device has so far. */
  static long[] of(Engine engine, List<Run> runs) {
    engine.device().makeCurrent();
    Address.Device sums = new Address.Device();
    long bytes = (long) Math.max(1, runs.size()) * Long.BYTES;
    // Not reserved: the bytes that a run reserves are promised to the byte.
    check(JCudaDriver.cuMemAlloc(sums, bytes), "cuMemAlloc of hashes");
    try {
      engine.zero(sums.number(), bytes, engine.device().stream()).issue();
      for (int i = 0; i < runs.size(); i++) {
        launch(engine, runs.get(i), sums.number() + (long) i * Long.BYTES).issue();
      }
      engine.device().synchronize("hashes");
      ByteBuffer found = ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.LITTLE_ENDIAN);
      check(JCudaDriver.cuMemcpyDtoH(Pointer.to(found), sums, bytes), "cuMemcpyDtoH of hashes");
      long[] hashes = new long[runs.size()];
      found.asLongBuffer().get(hashes);
      return hashes;
    } finally {
      check(JCudaDriver.cuMemFree(sums), "cuMemFree of hashes");
    }
  }

  private static Launch launch(Engine engine, Run run, long sum) {
    long wanted = 1 + run.words() / (THREADS * WORDS_PER_THREAD);
    long blocks = Math.min(wanted, (long) BLOCKS_PER_MULTIPROCESSOR * engine.multiprocessors());
    return engine
        .launch("hash_words")
        .grid(blocks, THREADS)
        .at(run.address(), sum)
        .longs(run.words())
        .ready();
  }

  /** The same on the host. */
  static long of(ByteBuffer words) {
    long sum = 0;
    for (int place = 0; place < words.capacity() / Integer.BYTES; place++) {
      sum += mixed(place, words.getInt(place * Integer.BYTES));
    }
    return sum;
  }

  private static long mixed(long place, int word) {
    long z = (place << 32 | Integer.toUnsignedLong(word)) + 0x9E3779B97F4A7C15L;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  /**
   * Hashes a few words of every remainder by four on the device.
   *
   * @param launched gets the kernel's name
   * @throws DeviceException if it computes wrongly
   */
  static void selfTest(Engine engine, Set<String> launched) {
    int words = 4099;
    ByteBuffer content =
        ByteBuffer.allocateDirect(words * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < words; i++) {
      content.putInt(i * Integer.BYTES, i * 0x01234567 ^ 0x5A5A);
    }
    long address = engine.device().store(content, "self-test");
    for (int count = words - 3; count <= words; count++) {
      Run run = new Run(address, (long) count * Integer.BYTES);
      long found = of(engine, List.of(run))[0];
      ByteBuffer same = content.slice(0, count * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      if (found != of(same)) {
        throw new DeviceException(
            "cuda: self-test: hash_words of %d words: expected %016x, found %016x"
                .formatted(count, of(same), found));
      }
    }
    launched.add(launch(engine, new Run(address, Integer.BYTES), address).toString());
  }
}
