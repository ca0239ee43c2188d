package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.store.CrashState;
import dev.kindling.worker.store.RecordedMedium;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.WriteBehindStorage;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/**
 * A crash behind every call of a run, in every state that the medium may be left in, or a seeded
 * choice of these: a restart selects what was promised, loads its bytes and goes on. That the
 * enumeration sees what it looks for is tested on protocols that are wrong in one place.
 */
public abstract class CrashStateCases {
  /** A restart that goes on saving costs five times as much as one that looks. */
  private static final int GO_ON_EVERY = 20;

  /** A mutant breaks in many states, so that some of them are enough. */
  private static final int MOST_OF_MUTANT = 30;

  private final long seed = Long.getLong("seed", 20261127L);

  /** An empty one. */
  protected abstract RecordedMedium medium();

  /** States to look at behind one call, if there are more. */
  protected abstract int most();

  /** Fewer are a sign that the enumeration has lost its way. */
  protected abstract int fewest();

  private enum Kind {
    TRUE,
    MUTANT
  }

  private final class Enumeration {
    private final RecordedMedium medium;
    private final CrashScenario scenario;
    private final Kind kind;
    private final Set<String> contents = new HashSet<>();
    private final Set<List<Object>> seen = new HashSet<>();
    private final AtomicInteger bad = new AtomicInteger();
    private final Map<CrashCheck.Broken, ConcurrentLinkedQueue<String>> broken =
        new ConcurrentHashMap<>();

    Enumeration(RecordedMedium medium, UnaryOperator<Storage> protocol, Kind kind) {
      this.medium = medium;
      this.scenario = CrashScenario.run(medium, protocol);
      this.kind = kind;
    }

    Enumeration run() {
      long start = System.nanoTime();
      Random random = new Random(seed);
      int most = kind == Kind.MUTANT ? Math.min(most(), MOST_OF_MUTANT) : most();
      RecordedMedium.Replay replay = medium.replay();
      look(0, replay.states(most, random));
      for (int calls = 1; calls <= medium.calls(); calls++) {
        replay.advance();
        look(calls, replay.states(most, random));
      }
      System.out.printf(
          "%s, %s: %d calls, %d distinct states of seed %d in %.1f s, %d bad %s%n",
          CrashStateCases.this.getClass().getSimpleName(),
          kind,
          medium.calls(),
          contents.size(),
          seed,
          (System.nanoTime() - start) / 1e9,
          bad.get(),
          summary());
      return this;
    }

    /** A state that was there before is looked at again only if more is promised now. */
    private void look(int calls, List<CrashState> states) {
      CrashScenario.Promise promise = scenario.promise(calls);
      List<CrashState> fresh = new ArrayList<>();
      for (CrashState state : states) {
        contents.add(state.digest());
        if (seen.add(List.of(state.digest(), promise))) {
          fresh.add(state);
        }
      }
      AtomicInteger number = new AtomicInteger(seen.size());
      fresh.parallelStream()
          .forEach(
              state -> {
                boolean goOn = kind == Kind.TRUE && number.getAndIncrement() % GO_ON_EVERY == 0;
                add(calls, CrashCheck.broken(state, promise, goOn));
              });
    }

    private void add(int calls, Map<CrashCheck.Broken, String> found) {
      bad.addAndGet(found.isEmpty() ? 0 : 1);
      found.forEach(
          (promise, text) ->
              broken
                  .computeIfAbsent(promise, none -> new ConcurrentLinkedQueue<>())
                  .add("seed " + seed + ", behind call " + calls + ": " + text));
    }

    /** How many states break which promise. */
    private Map<CrashCheck.Broken, Integer> summary() {
      Map<CrashCheck.Broken, Integer> counts = new java.util.EnumMap<>(CrashCheck.Broken.class);
      broken.forEach((promise, texts) -> counts.put(promise, texts.size()));
      return counts;
    }
  }

  @Test
  void aRestartFindsWhatWasPromisedInEveryStateThatACrashCanLeave() {
    Enumeration all = new Enumeration(medium(), storage -> storage, Kind.TRUE).run();
    for (CrashCheck.Broken promise : CrashCheck.Broken.values()) {
      assertThat(all.broken.getOrDefault(promise, new ConcurrentLinkedQueue<>()).stream().limit(3))
          .as(promise.name())
          .isEmpty();
    }
    assertThat(all.contents.size()).isGreaterThanOrEqualTo(fewest());
  }

  /** Expects that some state of a mutant breaks this promise, for a reason that says so. */
  protected final void assertCaught(
      RecordedMedium mutant, CrashCheck.Broken promise, String reason) {
    assertCaught(mutant, storage -> storage, promise, reason);
  }

  private void assertCaught(
      RecordedMedium medium,
      UnaryOperator<Storage> protocol,
      CrashCheck.Broken promise,
      String reason) {
    Enumeration all = new Enumeration(medium, protocol, Kind.MUTANT).run();
    assertThat(all.broken).containsKey(promise);
    assertThat(all.broken.get(promise)).anyMatch(text -> text.contains(reason));
  }

  @Test
  void aCommitBeforeItsPartsAreDurableIsCaught() {
    assertCaught(medium(), WriteBehindStorage::new, CrashCheck.Broken.TORN, "NoSuchFileException");
  }

  @Test
  void partsThatAreDeletedBeforeTheirCommitIsRevokedAreCaught() {
    assertCaught(
        medium(),
        storage -> new EagerDeletion(storage, EagerDeletion.Before.REVOKED),
        CrashCheck.Broken.TORN,
        "NoSuchFileException");
  }

  @Test
  void partsThatAreDeletedBeforeTheNextCommitAreCaught() {
    assertCaught(
        medium(),
        storage -> new EagerDeletion(storage, EagerDeletion.Before.COMMIT),
        CrashCheck.Broken.TOO_FEW,
        "expected 2 that verify, found 1");
  }
}
