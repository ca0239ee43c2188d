package dev.kindling.worker.data;

import java.nio.IntBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The inputs of one micro step, I32 {@code [microSequences * L]} each, sequence after sequence.
 * Owned by a {@link BatchReader}; valid until its next batch is asked for.
 */
public final class Batch {
  /** A target that costs nothing. */
  public static final int IGNORED = -100;

  private final int[] tokens;
  private final int[] targets;
  private final int[] positions;
  private final int @Nullable [] segments;
  private final int sequenceLength;
  private long step;
  private int microStep;
  private long samples;

  Batch(int sequences, int sequenceLength, boolean maskDocuments) {
    int size = Math.multiplyExact(sequences, sequenceLength);
    this.sequenceLength = sequenceLength;
    this.tokens = new int[size];
    this.targets = new int[size];
    this.positions = new int[size];
    this.segments = maskDocuments ? new int[size] : null;
    for (int i = 0; i < size; i++) {
      positions[i] = i % sequenceLength;
    }
  }

  public long step() {
    return step;
  }

  public int microStep() {
    return microStep;
  }

  /** Sum of {@link SampleDigest} over the sequences that were really put here. */
  public long samples() {
    return samples;
  }

  /** Tokens of the batch, L times its sequences. */
  public int size() {
    return tokens.length;
  }

  public int token(int index) {
    return tokens[index];
  }

  public int target(int index) {
    return targets[index];
  }

  public int position(int index) {
    return positions[index];
  }

  /** Number of the document inside its sequence; 0 everywhere unless documents are masked. */
  public int segment(int index) {
    return segments == null ? 0 : segments[index];
  }

  /**
   * Copies everything from the start of each buffer; allocates nothing.
   *
   * @param segmentsInto null where documents are not masked
   */
  public void copyTo(
      IntBuffer tokensInto,
      IntBuffer targetsInto,
      IntBuffer positionsInto,
      @Nullable IntBuffer segmentsInto) {
    tokensInto.put(0, tokens);
    targetsInto.put(0, targets);
    positionsInto.put(0, positions);
    if (segmentsInto != null) {
      if (segments == null) {
        throw new IllegalStateException("segments exist only where mask_documents is true");
      }
      segmentsInto.put(0, segments);
    }
  }

  void start(long ofStep, int ofMicroStep) {
    step = ofStep;
    microStep = ofMicroStep;
    samples = 0;
  }

  void fed(long digest) {
    samples += digest;
  }

  /** Writes L + 1 tokens as sequence {@code slot}. */
  void put(int slot, int[] sequence, int separator) {
    int at = slot * sequenceLength;
    System.arraycopy(sequence, 0, tokens, at, sequenceLength);
    System.arraycopy(sequence, 1, targets, at, sequenceLength);
    if (segments == null) {
      return;
    }
    int document = 0;
    int place = 0;
    for (int k = 0; k < sequenceLength; k++) {
      segments[at + k] = document;
      positions[at + k] = place++;
      if (sequence[k] == separator) {
        // What follows a separator starts another document: not to be predicted from this one.
        targets[at + k] = IGNORED;
        document++;
        place = 0;
      }
    }
  }

  /** Writes L + 1 tokens of whole examples as sequence {@code slot}; see {@link ExampleFlags}. */
  void put(int slot, int[] sequence, byte[] flags) {
    if (segments == null) {
      throw new IllegalStateException("examples are masked from each other");
    }
    int at = slot * sequenceLength;
    int example = 0;
    int place = 0;
    for (int k = 0; k < sequenceLength; k++) {
      if (k > 0 && ExampleFlags.begins(flags[k])) {
        example++;
        place = 0;
      }
      tokens[at + k] = sequence[k];
      segments[at + k] = example;
      positions[at + k] = place++;
      boolean counts = ExampleFlags.counts(flags[k + 1]) && !ExampleFlags.begins(flags[k + 1]);
      targets[at + k] = counts ? sequence[k + 1] : IGNORED;
    }
  }

  /** Makes sequence {@code slot} one that costs nothing. */
  void pad(int slot, int separator) {
    int at = slot * sequenceLength;
    Arrays.fill(tokens, at, at + sequenceLength, separator);
    Arrays.fill(targets, at, at + sequenceLength, IGNORED);
    for (int k = 0; k < sequenceLength; k++) {
      positions[at + k] = k;
    }
    if (segments != null) {
      Arrays.fill(segments, at, at + sequenceLength, 0);
    }
  }
}
