package dev.kindling.worker.checkpoint;

import java.util.ArrayList;
import java.util.List;

/**
 * How the tensors of a rank become part files, and in which order their bytes are asked for. Both
 * follow from the tensors' sizes alone: every rank knows the parts of every other without a word,
 * and two saves of one state cut alike. Tensors stay whole, since the format knows no pieces of
 * one.
 *
 * @param oneUpTo states up to this many bytes stay in one part
 * @param largest beyond, parts are cut to about this many bytes or fewer
 */
public record PartCut(long oneUpTo, long largest) {
  /**
   * Parts written at a time. A constant and not the number of cores: the order of pieces is part of
   * what ranks agree on. SHA-256 runs at 0.7 GB/s over both hashes, so that eight outrun most
   * disks.
   */
  static final int SINKS = 8;

  /** Large enough that a piece costs more than its hand-over, small enough to hold sixteen. */
  static final int PIECE_BYTES = 2 << 20;

  /** Below, eight files and threads cost more than they save. */
  static final PartCut USUAL = new PartCut(64L << 20, 1L << 30);

  public PartCut {
    // A round of all sinks is a number too.
    if (oneUpTo < 0 || largest < 1 || largest > Long.MAX_VALUE / SINKS) {
      throw new IllegalArgumentException(
          "part cut: expected sizes, found " + oneUpTo + " and " + largest);
    }
  }

  /**
   * A run of bytes of one tensor.
   *
   * @param part index of the part
   * @param tensor index in order of names
   * @param from first byte
   */
  public record Piece(int part, int tensor, long from, int bytes) {}

  /**
   * For every tensor, the index of its part; parts are runs of tensors in order of names. Beyond
   * one part there are as many as a multiple of the sinks, so that no sink writes one more than
   * another at the end.
   *
   * @param bytes sizes in order of names
   */
  List<Integer> partOf(List<Long> bytes) {
    long total = bytes.stream().mapToLong(size -> size).sum();
    long wanted = total <= oneUpTo ? 1 : SINKS * (1 + (total - 1) / (SINKS * largest));
    List<Integer> partOf = new ArrayList<>();
    long begin = 0;
    long share = 0;
    int part = 0;
    for (long size : bytes) {
      // The middle decides, so that a part differs from its share by half a tensor at either end.
      long next = (begin + size / 2) / Math.max(1, 1 + (total - 1) / wanted);
      part += !partOf.isEmpty() && next > share ? 1 : 0;
      share = next;
      partOf.add(part);
      begin += size;
    }
    return partOf;
  }

  /** Number of parts; one even without a tensor, so that every rank is seen to have written. */
  public int parts(List<Long> bytes) {
    List<Integer> partOf = partOf(bytes);
    return partOf.isEmpty() ? 1 : partOf.get(partOf.size() - 1) + 1;
  }

  /**
   * All bytes in the order in which a save asks for them: in turn a piece for each sink, where sink
   * s writes the parts s, s + {@link #SINKS} and so on, one after the other.
   */
  public List<Piece> order(List<Long> bytes) {
    List<List<Piece>> sinks = new ArrayList<>();
    for (int sink = 0; sink < SINKS; sink++) {
      sinks.add(new ArrayList<>());
    }
    List<Integer> partOf = partOf(bytes);
    for (int tensor = 0; tensor < bytes.size(); tensor++) {
      int part = partOf.get(tensor);
      for (long from = 0; from < bytes.get(tensor); from += PIECE_BYTES) {
        int count = (int) Math.min(PIECE_BYTES, bytes.get(tensor) - from);
        sinks.get(part % SINKS).add(new Piece(part, tensor, from, count));
      }
    }
    int turns = sinks.stream().mapToInt(List::size).max().orElse(0);
    List<Piece> order = new ArrayList<>();
    for (int turn = 0; turn < turns; turn++) {
      for (List<Piece> sink : sinks) {
        if (turn < sink.size()) {
          order.add(sink.get(turn));
        }
      }
    }
    return order;
  }
}
