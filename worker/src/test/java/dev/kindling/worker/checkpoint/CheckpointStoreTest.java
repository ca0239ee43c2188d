package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointStoreTest {
  @TempDir Path root;

  @Test
  void anEmptyFolderHoldsNoGenerationAndSaysSo() {
    List<String> refusals = new ArrayList<>();
    assertThat(TinyRun.open(root).newestValid(refusals)).isEmpty();
    assertThat(refusals).isEmpty();
  }

  @Test
  void whatWasSavedIsLoadedByteForByte() {
    CheckpointStore store = TinyRun.open(root);
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 10, 2);
    CheckpointStore reopened = TinyRun.open(root);
    Generation generation = reopened.newestValid(new ArrayList<>()).orElseThrow();
    TinyRun.assertHolds(reopened, generation, 10);
    TinyRun.assertHolds(reopened, reopened.generation(generation.id()), 10);
    assertThat(generation.facts()).isEqualTo(TinyRun.FACTS);
  }

  @Test
  void theOrderIsByEpochBeforeStep() {
    CheckpointStore store =
        CheckpointStore.open(new dev.kindling.worker.store.LocalStorage(root), 5);
    TinyRun.save(store, store.claimEpoch(), 1000, 1);
    TinyRun.save(store, store.claimEpoch(), 900, 1);
    assertThat(store.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(900);
    assertThat(store.commits())
        .containsExactly("e0000000002-s000000000900", "e0000000001-s000000001000");
  }

  @Test
  void theStateHashDoesNotDependOnTheNumberOfRanks(@TempDir Path other) {
    List<String> hashes = new ArrayList<>();
    for (int worldSize : new int[] {1, 2, 3, 4}) {
      CheckpointStore store = TinyRun.open(other.resolve("w" + worldSize));
      TinyRun.save(store, store.claimEpoch(), 5, worldSize);
      hashes.add(store.newestValid(new ArrayList<>()).orElseThrow().stateHash());
    }
    assertThat(Set.copyOf(hashes)).hasSize(1);
    CheckpointStore store = TinyRun.open(root);
    TinyRun.save(store, store.claimEpoch(), 6, 1);
    assertThat(hashes)
        .doesNotContain(store.newestValid(new ArrayList<>()).orElseThrow().stateHash());
  }

  @Test
  void weightsAreAHuggingFaceFolder() throws IOException {
    CheckpointStore store = TinyRun.open(root);
    TinyRun.save(store, store.claimEpoch(), 3, 2);
    Path folder = root.resolve("data/e0000000001/s000000000003-3f9a");
    assertThat(TinyRun.files(folder).stream().map(f -> folder.relativize(f).toString()))
        .containsExactly(
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "opt-00001-of-00002.safetensors",
            "opt-00002-of-00002.safetensors",
            "state.json");
    Json.Obj index =
        JsonReader.read(Files.readAllBytes(folder.resolve("model.safetensors.index.json")), "index")
            .asObject("index");
    assertThat(index.stringMap("weight_map"))
        .containsEntry("model.embed_tokens.weight", "model-00001-of-00002.safetensors")
        .containsEntry("model.layers.0.mlp.up_proj.weight", "model-00002-of-00002.safetensors")
        .hasSize(3);
    assertThat(index.object("metadata").integer("total_size", 0, 9999))
        .isEqualTo((28 + 20 + 4) * 4);
  }

  @Test
  void filesAreForTheirOwnerOnly() throws IOException {
    CheckpointStore store = TinyRun.open(root.resolve("run"));
    TinyRun.save(store, store.claimEpoch(), 3, 1);
    for (Path file : TinyRun.files(root)) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
    for (String folder : List.of("run", "run/data", "run/data/e0000000001", "run/commits")) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve(folder))))
          .isEqualTo("rwx------");
    }
  }

  @Test
  void aFencedWriterCannotCommit() {
    CheckpointStore old = TinyRun.open(root);
    long epoch = old.claimEpoch();
    TinyRun.save(old, epoch, 1, 1);
    CommitRequest late = TinyRun.write(old, epoch, 2, 1);
    TinyRun.open(root).claimEpoch();
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
      for (int i = 0; i < 160; i++) {
        claims.add(() -> epochs.add(TinyRun.open(root).claimEpoch()));
      }
      for (var claim : threads.invokeAll(claims)) {
        assertThat(claim.get()).as("a new epoch").isTrue();
      }
      assertThat(epochs).hasSize(160).contains(1L, 160L);
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aSecondCommitOfOneStepIsRefused() {
    CheckpointStore store = TinyRun.open(root);
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    assertThatThrownBy(() -> TinyRun.write(store, epoch, 1, 1))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("FileAlreadyExists");
  }

  @Test
  void aCommitNeedsEveryRankAndEveryTensorOnce() {
    CheckpointStore store = TinyRun.open(root);
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
  void loadNamesTheTensorThatDoesNotFit() {
    CheckpointStore store = TinyRun.open(root);
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
    CheckpointStore store = TinyRun.open(root);
    long epoch = store.claimEpoch();
    for (long step = 1; step <= 5; step++) {
      TinyRun.save(store, epoch, step, 1);
    }
    assertThat(store.commits())
        .containsExactly("e0000000001-s000000000005", "e0000000001-s000000000004");
    assertThat(Files.list(root.resolve("data/e0000000001"))).hasSize(2);
    assertThat(Files.list(root.resolve("revoked"))).isEmpty();
    flip(root.resolve("data/e0000000001/s000000000005-3f9a/model-00001-of-00001.safetensors"));
    CheckpointStore next = TinyRun.open(root);
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
    CheckpointStore store = TinyRun.open(root);
    long first = store.claimEpoch();
    TinyRun.save(store, first, 1, 1);
    TinyRun.save(store, first, 2, 1);
    TinyRun.save(store, first, 3, 1);
    flip(root.resolve("data/e0000000001/s000000000003-3f9a/model-00001-of-00001.safetensors"));
    CrashingStorage storage =
        new CrashingStorage(new LocalStorage(root), Integer.MAX_VALUE, CrashingStorage.When.AFTER);
    CheckpointStore next = TinyRun.open(storage);
    long second = next.claimEpoch();
    TinyRun.save(next, second, 4, 1);
    assertThat(next.isVerified(new Layout.Point(1, 3))).isFalse();
    int before = storage.operations();
    assertThat(next.isVerified(new Layout.Point(1, 3))).isFalse();
    assertThat(storage.operations()).as("not one look at the disk").isEqualTo(before);
  }

  @Test
  void orphansOfEarlierEpochsGoAndThoseOfTheCurrentStay() {
    CheckpointStore store = TinyRun.open(root);
    long first = store.claimEpoch();
    TinyRun.write(store, first, 1, 1);
    long second = store.claimEpoch();
    TinyRun.write(store, second, 1, 1);
    TinyRun.save(store, second, 2, 1);
    assertThat(root.resolve("data/e0000000001")).doesNotExist();
    assertThat(root.resolve("data/e0000000002/s000000000001-3f9a")).exists();
  }

  @Test
  void aDamagedJobFileDoesNotLoseTheRun() throws IOException {
    CheckpointStore store = TinyRun.open(root);
    TinyRun.save(store, store.claimEpoch(), 1, 1);
    flip(root.resolve("job.json"));
    CheckpointStore next = TinyRun.open(root);
    assertThat(next.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(1);
    TinyRun.save(next, next.claimEpoch(), 2, 1);
    Files.delete(root.resolve("job.json"));
    assertThat(next.newestValid(new ArrayList<>()).orElseThrow().step()).isEqualTo(2);
  }

  @Test
  void aCommitOfAnotherJobIsRefused(@TempDir Path other) throws IOException {
    CheckpointStore mine = TinyRun.open(root);
    TinyRun.save(mine, mine.claimEpoch(), 1, 1);
    CheckpointStore foreign = TinyRun.open(other);
    foreign.claimEpoch();
    TinyRun.save(foreign, foreign.claimEpoch(), 2, 1);
    Files.delete(other.resolve("job.json"));
    Files.copy(root.resolve("job.json"), other.resolve("job.json"));
    assertThatThrownBy(() -> foreign.newestValid(new ArrayList<>()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("expected job");
  }

  static void flip(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }

  @Test
  void onlyARunWithoutAnyTraceOfACommitIsOneThatNeverCommitted() throws IOException {
    CheckpointStore store = TinyRun.open(root);
    assertThat(store.neverCommitted()).isTrue();
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 2);
    assertThat(store.neverCommitted()).isFalse();
    try (Stream<Path> commits = Files.list(root.resolve("commits"))) {
      for (Path commit : commits.toList()) {
        Files.delete(commit);
      }
    }
    assertThat(store.neverCommitted()).as("lost commits").isFalse();
  }

  @Test
  void whatIsTakenBackIsGoneAndItsStepMayBeSavedAgainInTheSameEpoch() {
    CheckpointStore store = TinyRun.open(root);
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
}
