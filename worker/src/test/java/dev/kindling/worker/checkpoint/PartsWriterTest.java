package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A state that is cut into several small parts, written, damaged and read back. */
class PartsWriterTest {
  static final PartCut SMALL = new PartCut(0, 100_000);
  private static final PartCut ONE = new PartCut(Long.MAX_VALUE, 1);

  @TempDir Path root;

  /** Odd sizes and one tensor of more than a piece: 4.6 MB, two parts for some sinks. */
  static List<NamedSpan> tensors(PartKind kind) {
    Random random = new Random(7 + kind.ordinal());
    List<NamedSpan> tensors = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      int elements = i == 11 ? 700_001 : 1 + random.nextInt(25_000);
      Span span = Span.allocate(elements * 4L);
      for (int at = 0; at < elements; at++) {
        span.putInt(at, random.nextInt());
      }
      String name = String.format(Locale.ROOT, "layers.%02d.weight", i);
      tensors.add(new NamedSpan(name, Shape.of(elements), span));
    }
    return tensors;
  }

  private CheckpointStore open(PartCut cut) {
    return CheckpointStore.open(new LocalStorage(root), 4, cut);
  }

  static RankParts parts(PartCut cut, PartKind kind, int rank, int worldSize) {
    List<Integer> counts = new ArrayList<>();
    for (int other = 0; other < worldSize; other++) {
      counts.add(
          cut.parts(
              TensorOwners.owned(tensors(kind), other, worldSize).stream()
                  .map(TensorSource::bytes)
                  .toList()));
    }
    return new RankParts(kind, rank, counts);
  }

  static Generation save(CheckpointStore store, long step, int worldSize) {
    long epoch = store.claimEpoch();
    List<PartDescriptor> written = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      for (int rank = 0; rank < worldSize; rank++) {
        RankParts parts = parts(store.cut(), kind, rank, worldSize);
        store
            .writeParts(epoch, step, "a", parts, TensorOwners.owned(tensors(kind), rank, worldSize))
            .forEach(part -> written.add(PartDescriptor.decode(part.encode())));
      }
    }
    TrainState state = TinyRun.state(step, 1);
    return store.generation(
        store.commit(
            new CommitRequest(epoch, step, "a", worldSize, written, state, TinyRun.FACTS)));
  }

  private static void assertHolds(CheckpointStore store, Generation generation) {
    for (PartKind kind : PartKind.values()) {
      List<NamedSpan> targets = new ArrayList<>();
      for (NamedSpan like : tensors(kind)) {
        Span room = Span.allocate(like.span().bytes());
        targets.add(new NamedSpan(like.name(), like.shape(), room));
      }
      store.load(generation, kind, targets);
      List<NamedSpan> expected = tensors(kind);
      for (int i = 0; i < targets.size(); i++) {
        assertThat(targets.get(i).span().buffer().mismatch(expected.get(i).span().buffer()))
            .as(targets.get(i).name())
            .isEqualTo(-1);
      }
    }
  }

  private static Map<String, String> hashes(Generation generation) {
    Map<String, String> hashes = new TreeMap<>();
    for (PartKind kind : PartKind.values()) {
      generation.tensors(kind).forEach((name, tensor) -> hashes.put(kind + name, tensor.sha256()));
    }
    return hashes;
  }

  @Test
  void oneStateInOnePartOrManyOnOneRankOrTwoIsTheSameState() {
    Generation old = save(open(ONE), 1, 1);
    assertThat(old.partPaths(PartKind.MODEL))
        .singleElement()
        .asString()
        .endsWith("/model-00001-of-00001.safetensors");
    Generation many = save(open(SMALL), 1, 1);
    assertThat(many.partPaths(PartKind.MODEL)).hasSizeBetween(PartCut.SINKS + 2, 40);
    assertThat(many.partPaths(PartKind.OPTIMIZER).get(0))
        .endsWith("of-000%02d.safetensors".formatted(many.partPaths(PartKind.OPTIMIZER).size()));
    Generation two = save(open(SMALL), 1, 2);
    assertThat(two.worldSize()).isEqualTo(2);
    assertThat(two.partPaths(PartKind.MODEL)).hasSizeGreaterThan(15);
    for (Generation generation : List.of(old, many, two)) {
      assertThat(hashes(generation)).isEqualTo(hashes(old));
      assertThat(generation.stateHash()).isEqualTo(old.stateHash());
      assertHolds(open(SMALL), generation);
      assertHolds(open(ONE), generation);
    }
  }

  @Test
  void twoSavesOfOneStateHaveEqualFiles() throws IOException {
    Generation first = save(open(SMALL), 1, 1);
    Generation second = save(open(SMALL), 1, 1);
    List<String> paths = first.partPaths(PartKind.MODEL);
    assertThat(second.partPaths(PartKind.MODEL)).hasSameSizeAs(paths);
    for (int i = 0; i < paths.size(); i++) {
      assertThat(root.resolve(second.partPaths(PartKind.MODEL).get(i)))
          .hasSameBinaryContentAs(root.resolve(paths.get(i)));
    }
  }

  @Test
  void aFlippedBitInOnePartIsNamedAndNothingIsLoaded() throws IOException {
    CheckpointStore store = open(SMALL);
    Generation generation = save(store, 1, 1);
    String part = generation.partPaths(PartKind.MODEL).get(9);
    CheckpointStoreTest.flip(root.resolve(part));
    assertThatThrownBy(() -> store.generation(generation.id()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(part)
        .hasMessageContaining("expected crc32c");
    List<NamedSpan> targets = new ArrayList<>();
    for (NamedSpan like : tensors(PartKind.MODEL)) {
      targets.add(new NamedSpan(like.name(), like.shape(), Span.allocate(like.span().bytes())));
    }
    assertThatThrownBy(() -> store.load(generation, PartKind.MODEL, targets))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(part);
    for (NamedSpan target : targets) {
      assertThat(target.span().toFloats()).as("nothing in " + target.name()).containsOnly(0f);
    }
  }

  @Test
  void aMissingPartCannotBeCommitted() {
    CheckpointStore store = open(SMALL);
    long epoch = store.claimEpoch();
    List<PartDescriptor> written = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      written.addAll(store.writeParts(epoch, 1, "a", parts(SMALL, kind, 0, 1), tensors(kind)));
    }
    PartDescriptor gone = written.remove(5);
    CommitRequest request =
        new CommitRequest(epoch, 1, "a", 1, written, TinyRun.state(1, 1), TinyRun.FACTS);
    assertThatThrownBy(() -> store.commit(request))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(gone.file());
    assertThat(store.neverCommitted()).isTrue();
  }
}
