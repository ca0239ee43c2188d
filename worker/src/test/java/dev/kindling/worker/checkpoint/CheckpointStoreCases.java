package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

/** What checkpoints promise on every store. */
public abstract class CheckpointStoreCases {
  /** Trouble of a store that begins and ends. */
  public interface Trouble {
    void begin() throws IOException;

    void end() throws IOException;
  }

  /** The root of a run by its name: empty at first, the same one throughout a test. */
  protected abstract Storage storage(String run) throws IOException;

  /** Rival claims of epochs; fewer where one costs more. */
  protected int claims() {
    return 160;
  }

  private Storage storage() throws IOException {
    return storage("run");
  }

  private CheckpointStore open() throws IOException {
    return TinyRun.open(storage());
  }

  @Test
  void anEmptyFolderHoldsNoGenerationAndSaysSo() throws IOException {
    List<String> refusals = new ArrayList<>();
    assertThat(open().newestValid(refusals)).isEmpty();
    assertThat(refusals).isEmpty();
  }

  @Test
  void whatWasSavedIsLoadedByteForByte() throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 10, 2);
    CheckpointStore reopened = open();
    Generation generation = reopened.newestValid(new ArrayList<>()).orElseThrow();
    TinyRun.assertHolds(reopened, generation, 10);
    TinyRun.assertHolds(reopened, reopened.generation(generation.id()), 10);
    assertThat(generation.facts()).isEqualTo(TinyRun.FACTS);
  }

  @Test
  void theOrderIsByEpochBeforeStep() throws IOException {
    CheckpointStore store = CheckpointStore.open(storage(), 5);
    TinyRun.save(store, store.claimEpoch(), 1000, 1);
    TinyRun.save(store, store.claimEpoch(), 900, 1);
    assertThat(store.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(900);
    assertThat(store.commits())
        .containsExactly("e0000000002-s000000000900", "e0000000001-s000000001000");
  }

  @Test
  void theStateHashDoesNotDependOnTheNumberOfRanks() throws IOException {
    List<String> hashes = new ArrayList<>();
    for (int worldSize : new int[] {1, 2, 3, 4}) {
      CheckpointStore store = TinyRun.open(storage("w" + worldSize));
      TinyRun.save(store, store.claimEpoch(), 5, worldSize);
      hashes.add(store.newestValid(new ArrayList<>()).orElseThrow().stateHash());
    }
    assertThat(Set.copyOf(hashes)).hasSize(1);
    CheckpointStore store = open();
    TinyRun.save(store, store.claimEpoch(), 6, 1);
    assertThat(hashes)
        .doesNotContain(store.newestValid(new ArrayList<>()).orElseThrow().stateHash());
  }

  @Test
  void weightsAreAHuggingFaceFolder() throws IOException {
    CheckpointStore store = open();
    TinyRun.save(store, store.claimEpoch(), 3, 2);
    String folder = "data/e0000000001/s000000000003-3f9a";
    assertThat(storage().list(folder).stream().map(StorageEntry::name))
        .containsExactly(
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "opt-00001-of-00002.safetensors",
            "opt-00002-of-00002.safetensors",
            "state.json");
    Json.Obj index =
        JsonReader.read(storage().read(folder + "/model.safetensors.index.json", 9999), "index")
            .asObject("index");
    assertThat(index.stringMap("weight_map"))
        .containsEntry("model.embed_tokens.weight", "model-00001-of-00002.safetensors")
        .containsEntry("model.layers.0.mlp.up_proj.weight", "model-00002-of-00002.safetensors")
        .hasSize(3);
    assertThat(index.object("metadata").integer("total_size", 0, 9999))
        .isEqualTo((28 + 20 + 4) * 4);
  }

  @Test
  void aFencedWriterCannotCommit() throws IOException {
    CheckpointStore old = open();
    long epoch = old.claimEpoch();
    TinyRun.save(old, epoch, 1, 1);
    CommitRequest late = TinyRun.write(old, epoch, 2, 1);
    open().claimEpoch();
    assertThatThrownBy(() -> old.commit(late))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("fenced");
    assertThat(old.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(1);
  }

  @Test
  void concurrentClaimsGetDifferentEpochs() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      Set<Long> epochs = ConcurrentHashMap.newKeySet();
      List<Callable<Boolean>> claims = new ArrayList<>();
      for (int i = 0; i < claims(); i++) {
        claims.add(() -> epochs.add(open().claimEpoch()));
      }
      for (var claim : threads.invokeAll(claims)) {
        assertThat(claim.get()).as("a new epoch").isTrue();
      }
      assertThat(epochs).hasSize(claims()).contains(1L, (long) claims());
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aSecondCommitOfOneStepIsRefused() throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    assertThatThrownBy(() -> TinyRun.write(store, epoch, 1, 1))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("FileAlreadyExists");
  }

  @Test
  void aCommitNeedsEveryRankAndEveryTensorOnce() throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    CommitRequest whole = TinyRun.write(store, epoch, 1, 2);
    List<PartDescriptor> missing = whole.parts().subList(0, 3);
    assertThatThrownBy(() -> store.commit(with(whole, missing)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("opt-00002-of-00002.safetensors");
    List<NamedSpan> all = TinyRun.tensors(PartKind.OPTIMIZER, 1);
    PartDescriptor doubled =
        store.writeParts(epoch, 2, "aa", TinyRun.onePart(PartKind.MODEL, 0, 1), all).get(0);
    PartDescriptor again =
        store.writeParts(epoch, 2, "aa", TinyRun.onePart(PartKind.OPTIMIZER, 0, 1), all).get(0);
    store.commit(
        new CommitRequest(
            epoch, 2, "aa", 1, List.of(doubled, again), TinyRun.state(2, 1), TinyRun.FACTS));
    assertThat(store.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(2);
    PartDescriptor left =
        store.writeParts(epoch, 3, "aa", TinyRun.onePart(PartKind.MODEL, 0, 2), all).get(0);
    PartDescriptor right =
        store.writeParts(epoch, 3, "aa", TinyRun.onePart(PartKind.MODEL, 1, 2), all).get(0);
    assertThatThrownBy(
            () ->
                store.commit(
                    new CommitRequest(
                        epoch,
                        3,
                        "aa",
                        2,
                        List.of(left, right),
                        TinyRun.state(3, 1),
                        TinyRun.FACTS)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model.embed_tokens.weight/m");
  }

  private static CommitRequest with(CommitRequest request, List<PartDescriptor> parts) {
    return new CommitRequest(
        request.epoch(),
        request.step(),
        request.generationSuffix(),
        request.worldSize(),
        parts,
        request.state(),
        request.facts());
  }

  @Test
  void loadNamesTheTensorThatDoesNotFit() throws IOException {
    CheckpointStore store = open();
    TinyRun.save(store, store.claimEpoch(), 1, 1);
    Generation generation = store.newestValid(new ArrayList<>()).orElseThrow();
    List<NamedSpan> good = TinyRun.zeroed(PartKind.MODEL);
    NamedSpan bent = new NamedSpan("model.norm.weight", Shape.of(2, 2), Span.allocate(16));
    assertThatThrownBy(
            () -> store.load(generation, PartKind.MODEL, List.of(good.get(0), good.get(1), bent)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model.norm.weight")
        .hasMessageContaining("[2, 2]");
    assertThatThrownBy(() -> store.load(generation, PartKind.MODEL, good.subList(0, 2)))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("model.norm.weight: found in the checkpoint");
    List<NamedSpan> more = new ArrayList<>(good);
    more.add(new NamedSpan("lm_head.weight", Shape.of(4), Span.allocate(16)));
    assertThatThrownBy(() -> store.load(generation, PartKind.MODEL, more))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("lm_head.weight: expected in the checkpoint");
    assertThat(good.get(0).span().toFloats()).containsOnly(0f);
  }

  @Test
  void retentionKeepsTheNewestAndNeverTheOnlyGoodOnesLess() throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    for (long step = 1; step <= 5; step++) {
      TinyRun.save(store, epoch, step, 1);
    }
    assertThat(store.commits())
        .containsExactly("e0000000001-s000000000005", "e0000000001-s000000000004");
    assertThat(storage().list("data/e0000000001")).hasSize(2);
    assertThat(storage().list("revoked")).isEmpty();
    flip(storage(), "data/e0000000001/s000000000005-3f9a/model-00001-of-00001.safetensors");
    CheckpointStore next = open();
    List<String> refusals = new ArrayList<>();
    assertThat(next.newestValid(refusals).orElseThrow().step()).isEqualTo(4);
    assertThat(refusals)
        .singleElement()
        .asString()
        .contains("s000000000005-3f9a/model-00001", "block 0", "crc32c");
    long second = next.claimEpoch();
    TinyRun.save(next, second, 6, 1);
    assertThat(next.commits()).as("two that verify, and the damaged one between them").hasSize(3);
    TinyRun.save(next, second, 7, 1);
    assertThat(next.commits())
        .containsExactly("e0000000002-s000000000007", "e0000000002-s000000000006");
  }

  @Test
  void aRefusedGenerationIsReadOnceAndNotAtEverySave() throws IOException {
    CheckpointStore store = open();
    long first = store.claimEpoch();
    TinyRun.save(store, first, 1, 1);
    TinyRun.save(store, first, 2, 1);
    TinyRun.save(store, first, 3, 1);
    flip(storage(), "data/e0000000001/s000000000003-3f9a/model-00001-of-00001.safetensors");
    CrashingStorage storage =
        new CrashingStorage(storage(), Integer.MAX_VALUE, CrashingStorage.When.AFTER);
    CheckpointStore next = TinyRun.open(storage);
    long second = next.claimEpoch();
    TinyRun.save(next, second, 4, 1);
    assertThat(next.isVerified(new Layout.Point(1, 3))).isFalse();
    int before = storage.operations();
    assertThat(next.isVerified(new Layout.Point(1, 3))).isFalse();
    assertThat(storage.operations()).as("not one look at the disk").isEqualTo(before);
  }

  @Test
  void orphansOfEarlierEpochsGoAndThoseOfTheCurrentStay() throws IOException {
    CheckpointStore store = open();
    long first = store.claimEpoch();
    TinyRun.write(store, first, 1, 1);
    long second = store.claimEpoch();
    TinyRun.write(store, second, 1, 1);
    TinyRun.save(store, second, 2, 1);
    assertThat(storage().exists("data/e0000000001")).isFalse();
    assertThat(storage().list("data/e0000000002/s000000000001-3f9a")).isNotEmpty();
  }

  @Test
  void aDamagedJobFileDoesNotLoseTheRun() throws IOException {
    CheckpointStore store = open();
    TinyRun.save(store, store.claimEpoch(), 1, 1);
    flip(storage(), "job.json");
    CheckpointStore next = open();
    assertThat(next.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(1);
    TinyRun.save(next, next.claimEpoch(), 2, 1);
    storage().delete("job.json");
    assertThat(next.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(2);
  }

  @Test
  void aCommitOfAnotherJobIsRefused() throws IOException {
    CheckpointStore mine = open();
    TinyRun.save(mine, mine.claimEpoch(), 1, 1);
    CheckpointStore foreign = TinyRun.open(storage("other"));
    foreign.claimEpoch();
    TinyRun.save(foreign, foreign.claimEpoch(), 2, 1);
    storage("other").replace("job.json", storage().read("job.json", 9999));
    assertThatThrownBy(() -> foreign.newestValid(new ArrayList<>()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("expected job");
  }

  @Test
  void onlyARunWithoutAnyTraceOfACommitIsOneThatNeverCommitted() throws IOException {
    CheckpointStore store = open();
    assertThat(store.neverCommitted()).isTrue();
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 2);
    assertThat(store.neverCommitted()).isFalse();
    for (StorageEntry commit : storage().list("commits")) {
      storage().delete("commits/" + commit.name());
    }
    assertThat(store.neverCommitted()).as("lost commits").isFalse();
  }

  @Test
  void whatIsTakenBackIsGoneAndItsStepMayBeSavedAgainInTheSameEpoch() throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    for (long step : new long[] {10, 20, 30}) {
      TinyRun.save(store, epoch, step, 2);
    }
    store.takeBack(epoch, 25);
    assertThat(store.commits()).containsExactly("e0000000001-s000000000020");
    TinyRun.save(store, epoch, 30, 1);
    TinyRun.assertHolds(store, store.newestValid(new ArrayList<>()).orElseThrow(), 30);
    store.takeBack(epoch, 1);
    assertThat(store.newestValid(new ArrayList<>())).isEmpty();
    assertThat(store.neverCommitted()).isTrue();
    assertThat(store.claimEpoch()).isEqualTo(2);
    assertThatThrownBy(() -> store.takeBack(epoch, 1)).hasMessageContaining("fenced");
  }

  /** One bit of a stored file. */
  private static void flip(Storage storage, String name) throws IOException {
    byte[] bytes = storage.read(name, 1 << 20);
    bytes[bytes.length / 2] ^= 1;
    storage.replace(name, bytes);
  }

  @Test
  void anErrorAtAnyOperationLeavesTheLastGoodGeneration() throws IOException {
    FailingStorage failing = new FailingStorage(storage());
    CheckpointStore store = TinyRun.open(failing.storage());
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    TinyRun.save(store, epoch, 2, 1);
    long good = 2;
    int failures = 0;
    boolean met = true;
    for (int at = 1; met; at++) {
      long step = 2L + at;
      failing.failAt(at);
      boolean saved = true;
      try {
        TinyRun.save(store, epoch, step, 1);
      } catch (CheckpointException full) {
        saved = false;
        failures++;
      }
      met = failing.met();
      good = saved ? step : good;
      assertNewest(good, "operation " + at);
    }
    assertThat(failures).as("operations before the commit").isGreaterThan(30);
    assertThat(open().commits()).hasSize(2);
  }

  private void assertNewest(long step, String as) throws IOException {
    CheckpointStore store = open();
    Generation newest = store.newestValid(new ArrayList<>()).orElseThrow();
    assertThat(newest.step()).as(as).isEqualTo(step);
    assertThat(store.commits()).as(as).hasSizeGreaterThanOrEqualTo(2);
    for (String id : store.commits()) {
      assertThat(store.generation(id).id()).as(as).isEqualTo(id);
    }
  }

  /** A store that fails for a while: saves are refused, nothing is lost, and saving goes on. */
  protected final void assertSurvives(Trouble trouble) throws IOException {
    CheckpointStore store = open();
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    TinyRun.save(store, epoch, 2, 1);
    trouble.begin();
    assertThatThrownBy(() -> TinyRun.save(store, epoch, 3, 1))
        .isInstanceOf(CheckpointException.class);
    trouble.end();
    assertNewest(2, "after the trouble");
    TinyRun.save(store, epoch, 4, 1);
    assertNewest(4, "after the next save");
  }
}
