package dev.kindling.worker.data;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Global batches that a run leaves out, because they led to a spike. Batches are counted from 0 in
 * the order of the run; step n, counted from 0, feeds the n-th batch that is not left out.
 *
 * @param ranges ascending, none touches the next
 */
public record SkippedBatches(List<Range> ranges) {
  /** Nothing is left out. */
  public static final SkippedBatches NONE = new SkippedBatches(List.of());

  /** Both ends are left out too. */
  public record Range(long first, long last) {
    public Range {
      if (first < 0 || last < first) {
        throw new IllegalArgumentException(
            "skipped batches: expected 0 <= first <= last, found " + first + "-" + last);
      }
    }

    @Override
    public String toString() {
      return first + "-" + last;
    }
  }

  public SkippedBatches {
    ranges = List.copyOf(ranges);
  }

  /** The batch of a step; both from 0. */
  public long batchOf(long step) {
    long batch = step;
    // By index: an iterator would be garbage of every batch.
    for (int i = 0; i < ranges.size() && batch >= ranges.get(i).first(); i++) {
      batch += ranges.get(i).last() - ranges.get(i).first() + 1;
    }
    return batch;
  }

  /** With one more range, which may cover or touch others. */
  public SkippedBatches and(Range more) {
    List<Range> all = new ArrayList<>(ranges);
    all.add(more);
    all.sort(Comparator.comparingLong(Range::first));
    List<Range> joined = new ArrayList<>();
    for (Range range : all) {
      Range before = joined.isEmpty() ? null : joined.get(joined.size() - 1);
      if (before == null || range.first() > before.last() + 1) {
        joined.add(range);
      } else {
        joined.set(
            joined.size() - 1, new Range(before.first(), Math.max(before.last(), range.last())));
      }
    }
    return new SkippedBatches(joined);
  }

  /** {@code first-last} with commas between, for a checkpoint's state. */
  public String encode() {
    return String.join(",", ranges.stream().map(Range::toString).toList());
  }

  /**
   * @throws IllegalArgumentException if the text is not what {@link #encode} writes
   */
  public static SkippedBatches decode(String text) {
    List<Range> ranges = new ArrayList<>();
    for (String word : text.isEmpty() ? new String[0] : text.split(",", -1)) {
      String[] ends = word.split("-", -1);
      if (ends.length != 2) {
        throw new IllegalArgumentException("skipped batches: expected first-last, found " + word);
      }
      ranges.add(new Range(Long.parseLong(ends[0]), Long.parseLong(ends[1])));
    }
    return new SkippedBatches(ranges);
  }
}
