package dev.kindling.worker.replay;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.shard.Held;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.zip.CRC32C;

/**
 * One hash of the weights with which a run begins: SHA-256 over lines of name, shape and CRC-32C of
 * the fp32 numbers, as the host sees them, so a GPU's weights in bf16 hash as the CPU's. It is to
 * tell bases apart, not forgers, and a CRC costs a tenth of what SHA-256 over 32 GB would.
 */
public final class FirstWeights {
  private static final int PIECE_BYTES = 4 << 20;

  private FirstWeights() {}

  /**
   * @param weights whole, in any order
   * @return 64 hexadecimal digits
   */
  public static String of(Memory memory, List<Held> weights) {
    MessageDigest lines = sha256();
    try (Span piece = Span.allocate(PIECE_BYTES)) {
      for (Held held : weights.stream().sorted(Comparator.comparing(Held::name)).toList()) {
        String line =
            String.format(
                Locale.ROOT, "%s %s %08x%n", held.name(), held.whole(), crc(memory, held, piece));
        lines.update(line.getBytes(StandardCharsets.UTF_8));
      }
    }
    return HexFormat.of().formatHex(lines.digest());
  }

  private static long crc(Memory memory, Held held, Span piece) {
    CRC32C crc = new CRC32C();
    long bytes = held.whole().elements() * Float.BYTES;
    for (long from = 0; from < bytes; from += PIECE_BYTES) {
      long count = Math.min(PIECE_BYTES, bytes - from);
      Span part = count == PIECE_BYTES ? piece : piece.slice(0, count);
      memory.fetch(held.name(), from, part);
      crc.update(part.buffer().duplicate().position(0).limit((int) count));
    }
    return crc.getValue();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException("every JDK has SHA-256", missing);
    }
  }
}
