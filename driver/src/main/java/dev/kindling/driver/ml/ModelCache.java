package dev.kindling.driver.ml;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Models that are in use in this JVM, one for each key, shared by its tasks. An idle one is kept
 * for the next task, but not beside another model, and not for long: the application may be over,
 * and in local mode this JVM goes on.
 *
 * @param <K> what a model is loaded for
 */
final class ModelCache<K> {
  /** Longer than the pause between two stages of a job. */
  private static final long IDLE_SECONDS = 60;

  /** The one of this JVM. */
  static final ModelCache<ModelRequest.Key> SHARED =
      new ModelCache<>(
          TextModel::open, CompletableFuture.delayedExecutor(IDLE_SECONDS, TimeUnit.SECONDS));

  private final Function<K, TextModel> opener;
  private final Executor later;
  private final Map<K, Entry> entries = new HashMap<>();

  private static final class Entry {
    private final TextModel model;
    private int users;
    private long uses;

    Entry(TextModel model) {
      this.model = model;
    }
  }

  /**
   * @param later runs what it is given after the time that an idle model is kept
   */
  ModelCache(Function<K, TextModel> opener, Executor later) {
    this.opener = opener;
    this.later = later;
  }

  /** The model for a key until {@link #release}; loads it if it is not here. */
  synchronized TextModel acquire(K key) {
    Entry entry = entries.get(key);
    if (entry == null) {
      closeIdle();
      entry = new Entry(opener.apply(key));
      entries.put(key, entry);
    }
    entry.users++;
    entry.uses++;
    return entry.model;
  }

  synchronized void release(K key) {
    Entry entry = entries.get(key);
    if (entry == null || entry.users == 0) {
      throw new IllegalStateException("released more often than acquired: " + key);
    }
    entry.users--;
    if (entry.users == 0) {
      long uses = entry.uses;
      later.execute(() -> closeUnused(key, uses));
    }
  }

  private synchronized void closeUnused(K key, long uses) {
    Entry entry = entries.get(key);
    if (entry != null && entry.users == 0 && entry.uses == uses) {
      entries.remove(key);
      entry.model.close();
    }
  }

  private void closeIdle() {
    entries
        .values()
        .removeIf(
            entry -> {
              if (entry.users == 0) {
                entry.model.close();
              }
              return entry.users == 0;
            });
  }
}
