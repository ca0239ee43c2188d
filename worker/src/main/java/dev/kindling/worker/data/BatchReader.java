package dev.kindling.worker.data;

import dev.kindling.kernels.fault.Failpoint;
import org.jspecify.annotations.Nullable;

/**
 * Hands a rank its micro batches in order, read by one background thread ahead of the step. The
 * batches are made once and go round in a ring; nothing is allocated per step. An error of the
 * background thread is thrown by the next {@link #next}, naming rank and file.
 *
 * <p>The only state is the place in the run: a reader opened at step {@code n} hands out the same
 * batches as one that came there from step 0.
 */
public final class BatchReader implements AutoCloseable {
  private static final int DEPTH = 4;

  /** The sequence at a place of the run; negative for padding. */
  private interface Samples {
    long at(long position);
  }

  private final SequenceReader sequences;
  private final BatchSlice slice;
  private final Samples samples;
  private final SkippedBatches skipped;
  private final Batch[] ring = new Batch[DEPTH];
  private final boolean examples;
  private final byte[] flags;
  private final Thread thread;
  private final Object lock = new Object();

  /** Batches filled and batches asked for, counted from the start; guarded by {@code lock}. */
  private long filled;

  private long asked;
  private boolean closed;
  private @Nullable RuntimeException failure;

  private BatchReader(
      SequenceReader sequences,
      BatchSlice slice,
      Samples samples,
      SkippedBatches skipped,
      long firstStep,
      String name) {
    this.sequences = sequences;
    this.slice = slice;
    this.samples = samples;
    this.skipped = skipped;
    Manifest manifest = sequences.shards().manifest();
    for (int k = 0; k < DEPTH; k++) {
      ring[k] =
          new Batch(slice.microSequences(), manifest.sequenceLength(), manifest.maskDocuments());
    }
    this.examples = manifest.examples();
    this.flags = new byte[examples ? manifest.sequenceLength() + 1 : 0];
    this.thread = new Thread(() -> fillAhead(firstStep), name + "-rank-" + slice.rank());
    thread.setDaemon(true);
  }

  /**
   * Training batches from {@code firstStep} on, without end.
   *
   * @throws DataException when the set cannot be opened
   */
  public static BatchReader training(
      TokenShards shards, BatchSlice slice, long seed, long firstStep) {
    return training(shards, slice, seed, firstStep, SkippedBatches.NONE);
  }

  /** As above, without some batches of the run. */
  public static BatchReader training(
      TokenShards shards, BatchSlice slice, long seed, long firstStep, SkippedBatches skipped) {
    SequenceReader sequences = SequenceReader.open(shards, SplitName.TRAIN);
    Manifest manifest = shards.manifest();
    Samples order =
        manifest.mixture().isEmpty()
            ? new SampleOrder(seed, sequences.sequences())::at
            : new MixtureOrder(seed, manifest.mixture())::at;
    return start(new BatchReader(sequences, slice, order, skipped, firstStep, "data-train"));
  }

  /**
   * Validation batches: the same {@code batches} global batches over and over, spread evenly over
   * the split so that each of its files counts. Where the split holds fewer sequences than asked
   * for, each is read once and the rest is padding that costs nothing.
   *
   * @throws DataException when the set holds no validation sequence
   */
  public static BatchReader validation(TokenShards shards, BatchSlice slice, int batches) {
    if (shards.part(SplitName.VALIDATION).sequences() == 0) {
      throw new DataException(
          shards.folder()
              + ": expected validation sequences, found none: set data.validation_paths or"
              + " data.validation_fraction");
    }
    SequenceReader sequences = SequenceReader.open(shards, SplitName.VALIDATION);
    long held = sequences.sequences();
    long wanted = Math.multiplyExact((long) batches, slice.globalSequences());
    Samples samples =
        position -> {
          long place = position % wanted;
          return held >= wanted
              ? Math.multiplyExact(place, held) / wanted
              : place < held ? place : -1;
        };
    return start(
        new BatchReader(sequences, slice, samples, SkippedBatches.NONE, 0, "data-validation"));
  }

  private static BatchReader start(BatchReader reader) {
    reader.thread.start();
    return reader;
  }

  /**
   * The next micro batch; the one before it becomes the reader's again.
   *
   * @throws DataException what stopped the background thread
   */
  public Batch next() {
    Failpoint.BATCH_READ.before();
    Batch batch = taken();
    Failpoint.BATCH_READ.after();
    return batch;
  }

  private Batch taken() {
    synchronized (lock) {
      asked++;
      lock.notifyAll();
      while (filled < asked && failure == null && !closed) {
        await();
      }
      if (filled >= asked) {
        return ring[(int) ((asked - 1) % DEPTH)];
      }
      if (failure != null) {
        throw new DataException("rank " + slice.rank() + ": " + failure.getMessage(), failure);
      }
      throw new IllegalStateException("the reader is closed");
    }
  }

  private void fillAhead(long firstStep) {
    try {
      int[] sequence = new int[sequences.shards().manifest().sequenceLength() + 1];
      for (long step = firstStep; ; step++) {
        for (int micro = 0; micro < slice.microSteps(); micro++) {
          Batch batch = free();
          if (batch == null) {
            return;
          }
          fill(batch, step, micro, sequence);
          synchronized (lock) {
            filled++;
            lock.notifyAll();
          }
        }
      }
    } catch (RuntimeException e) {
      synchronized (lock) {
        failure = e;
        lock.notifyAll();
      }
    }
  }

  private void fill(Batch batch, long step, int micro, int[] sequence) {
    int separator = sequences.shards().manifest().separator();
    batch.start(step, micro);
    long start = skipped.batchOf(step) * slice.globalSequences();
    for (int k = 0; k < slice.microSequences(); k++) {
      long place = slice.position(0, micro, k);
      long sample = samples.at(start + place);
      batch.fed(SampleDigest.of(place, sample));
      if (sample < 0) {
        batch.pad(k, separator);
      } else if (examples) {
        sequences.read(sample, sequence, flags);
        batch.put(k, sequence, flags);
      } else {
        sequences.read(sample, sequence);
        batch.put(k, sequence, separator);
      }
    }
  }

  /** The next batch of the ring once the step has left it; null when closed. */
  private @Nullable Batch free() {
    synchronized (lock) {
      // The step holds batch asked - 1, so one of the ring is never free.
      while (filled - asked >= DEPTH - 1 && !closed) {
        await();
      }
      return closed ? null : ring[(int) (filled % DEPTH)];
    }
  }

  private void await() {
    try {
      lock.wait();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DataException("rank " + slice.rank() + ": interrupted while it waited for data", e);
    }
  }

  /** Stops and joins the background thread. */
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
      lock.notifyAll();
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    sequences.close();
  }
}
