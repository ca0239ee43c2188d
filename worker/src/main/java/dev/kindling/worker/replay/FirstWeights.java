package dev.kindling.worker.replay;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
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
 * the fp32 numbers, as the host sees them, so a GPU's weights in bf16 hash as the CPU's; after them
 * lines of the codes, scales and statistics of packed matrices. It is to tell bases apart, not
 * forgers, and a CRC costs a tenth of what SHA-256 over 32 GB would.
 */
public final class FirstWeights {
  private static final int PIECE_BYTES = 4 << 20;

  private FirstWeights() {}

  /**
   * Of all weights of a program, the frozen and the packed too.
   *
   * @return 64 hexadecimal digits
   */
  public static String of(StepProgram program) {
    return of(program.memory(), program.weights(), program.projection().packed());
  }

  /**
   * @param weights whole, in any order
   * @param packed whole, in any order
   * @return 64 hexadecimal digits
   */
  static String of(Memory memory, List<Held> weights, List<Nf4Weight> packed) {
    MessageDigest lines = sha256();
    try (Span piece = Span.allocate(PIECE_BYTES)) {
      for (Held held : weights.stream().sorted(Comparator.comparing(Held::name)).toList()) {
        long bytes = held.whole().elements() * Float.BYTES;
        add(lines, held.name(), held.whole(), crc(memory, held.name(), bytes, piece));
      }
      for (Variable part :
          packed.stream()
              .flatMap(each -> each.variables().stream())
              .sorted(Comparator.comparing(Variable::name))
              .toList()) {
        long crc = crc(memory, part.name(), part.type().bytes(), piece);
        add(lines, part.name(), part.type().shape(), crc);
      }
    }
    return HexFormat.of().formatHex(lines.digest());
  }

  private static void add(MessageDigest lines, String name, Shape shape, long crc) {
    String line = String.format(Locale.ROOT, "%s %s %08x%n", name, shape, crc);
    lines.update(line.getBytes(StandardCharsets.UTF_8));
  }

  private static long crc(Memory memory, String name, long bytes, Span piece) {
    CRC32C crc = new CRC32C();
    for (long from = 0; from < bytes; from += PIECE_BYTES) {
      long count = Math.min(PIECE_BYTES, bytes - from);
      Span part = count == PIECE_BYTES ? piece : piece.slice(0, count);
      memory.fetch(name, from, part);
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
