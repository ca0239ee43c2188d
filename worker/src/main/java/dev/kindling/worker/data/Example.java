package dev.kindling.worker.data;

import org.jspecify.annotations.Nullable;

/**
 * A document as tokens.
 *
 * @param flags one byte a token, see {@link ExampleFlags}; null where the set is a plain stream
 * @param cut whether tokens were left out at its end because it is too long
 */
@SuppressWarnings("ArrayRecordComponent")
record Example(int[] ids, byte @Nullable [] flags, boolean cut) {}
