package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/**
 * A run of a few tensors whose contents follow from the step, so that a test knows what a
 * generation must hold.
 */
public final class TinyRun {
  static final String SUFFIX = "3f9a";
  static final RunFacts FACTS = new RunFacts("seed: 7\n", "replay", 8, Map.of("kindling", "test"));

  private TinyRun() {}

  static List<NamedSpan> tensors(PartKind kind, long step) {
    Random random = new Random(1000 * step + kind.ordinal());
    List<NamedSpan> tensors = new ArrayList<>();
    String state = kind == PartKind.MODEL ? "" : "/m";
    tensors.add(tensor("model.embed_tokens.weight" + state, Shape.of(7, 4), random));
    tensors.add(tensor("model.layers.0.mlp.up_proj.weight" + state, Shape.of(5, 4), random));
    tensors.add(tensor("model.norm.weight" + state, Shape.of(4), random));
    return tensors;
  }

  static List<NamedSpan> zeroed(PartKind kind) {
    return tensors(kind, 1).stream()
        .map(t -> new NamedSpan(t.name(), t.shape(), Span.allocate(t.span().bytes())))
        .toList();
  }

  private static NamedSpan tensor(String name, Shape shape, Random random) {
    Span span = Span.allocate(shape.elements() * Float.BYTES);
    for (int i = 0; i < shape.elements(); i++) {
      span.putFloat(i, random.nextFloat());
    }
    return new NamedSpan(name, shape, span);
  }

  static TrainState state(long step, int attempt) {
    return new TrainState(
        step,
        step * 512,
        new DataCursor(0, step * 8, "abc"),
        step,
        7,
        List.of(),
        Map.of("loss_ema", "0x1.8p1"),
        attempt,
        List.of("told again"));
  }

  /** Of a world in which each rank writes one part of a kind. */
  static RankParts onePart(PartKind kind, int rank, int worldSize) {
    return new RankParts(kind, rank, Collections.nCopies(worldSize, 1));
  }

  static CommitRequest write(CheckpointStore store, long epoch, long step, int worldSize) {
    List<PartDescriptor> parts = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      for (int rank = 0; rank < worldSize; rank++) {
        List<NamedSpan> owned = TensorOwners.owned(tensors(kind, step), rank, worldSize);
        store
            .writeParts(epoch, step, SUFFIX, onePart(kind, rank, worldSize), owned)
            .forEach(part -> parts.add(PartDescriptor.decode(part.encode())));
      }
    }
    return new CommitRequest(
        epoch, step, SUFFIX, worldSize, parts, state(step, (int) epoch), FACTS);
  }

  public static void save(CheckpointStore store, long epoch, long step, int worldSize) {
    store.commit(write(store, epoch, step, worldSize));
  }

  static CheckpointStore open(Path root) {
    return open(new LocalStorage(root));
  }

  public static CheckpointStore open(Storage storage) {
    return CheckpointStore.open(storage, 2);
  }

  /** Loads a generation and compares every byte with what its step must hold. */
  static void assertHolds(CheckpointStore store, Generation generation, long step) {
    assertThat(generation.step()).isEqualTo(step);
    assertThat(generation.state().trajectory()).isEqualTo(state(step, 0).trajectory());
    for (PartKind kind : PartKind.values()) {
      List<NamedSpan> targets = zeroed(kind);
      store.load(generation, kind, targets);
      List<NamedSpan> expected = tensors(kind, step);
      for (int i = 0; i < targets.size(); i++) {
        assertThat(targets.get(i).span().toFloats())
            .containsExactly(expected.get(i).span().toFloats());
      }
    }
  }

  static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> walk = Files.walk(from)) {
      for (Path path : walk.toList()) {
        Path target = to.resolve(from.relativize(path).toString());
        if (Files.isDirectory(path)) {
          Files.createDirectories(target);
        } else {
          Files.copy(path, target);
        }
      }
    }
  }

  /** All regular files below a folder, sorted. */
  static List<Path> files(Path root) throws IOException {
    try (Stream<Path> walk = Files.walk(root)) {
      return walk.filter(Files::isRegularFile).sorted().toList();
    }
  }
}
