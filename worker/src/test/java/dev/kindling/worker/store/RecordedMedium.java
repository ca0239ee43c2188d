package dev.kindling.worker.store;

import java.util.List;
import java.util.Random;

/** A medium that remembers every call, and knows what a crash may make of them. */
public interface RecordedMedium {
  /** The storage under test on this medium. */
  Storage storage();

  /** Calls so far that changed something. */
  int calls();

  /** From an empty medium through all calls. */
  Replay replay();

  /** The calls of a medium made one after the other. */
  interface Replay {
    /** Makes the next call. */
    void advance();

    /**
     * What may be found after a crash right here; to be opened before the next call is made.
     *
     * @param most if there are more, as many as this of them
     */
    List<CrashState> states(int most, Random random);
  }
}
