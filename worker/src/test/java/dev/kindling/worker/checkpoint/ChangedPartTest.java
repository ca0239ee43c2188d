package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A part whose bytes change after it has verified, before its tensors are read from it. */
class ChangedPartTest {
  /**
   * The generator of CRC-32C as bits of a file, lowest bit first: added to a message anywhere, it
   * leaves the remainder as it is. Five bytes change and no CRC sees it.
   */
  private static final long UNSEEN = 1L | 0x82F63B78L << 1;

  @TempDir Path root;

  private CheckpointStore store;
  private Generation generation;

  /** Opened before; from the second opening on they are changed. */
  private final Set<String> opened = ConcurrentHashMap.newKeySet();

  private String changed = "";
  private long at;
  private long pattern;

  @BeforeEach
  void save() {
    CheckpointStore writer = CheckpointStore.open(new LocalStorage(root), 4, PartsWriterTest.SMALL);
    generation = PartsWriterTest.save(writer, 1, 1);
    store = CheckpointStore.open(changing(new LocalStorage(root)), 4, PartsWriterTest.SMALL);
  }

  private Storage changing(Storage storage) {
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              try {
                Object result = method.invoke(storage, arguments);
                boolean again =
                    result instanceof StorageInput && !opened.add(String.valueOf(arguments[0]));
                return again && arguments[0].equals(changed)
                    ? new ChangedInput((StorageInput) result, at, pattern)
                    : result;
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  /** A file with the eight bytes of a pattern added from one on. */
  private record ChangedInput(StorageInput input, long at, long pattern) implements StorageInput {
    @Override
    public long length() throws IOException {
      return input.length();
    }

    @Override
    public void readFully(long position, ByteBuffer target) throws IOException {
      int begin = target.position();
      input.readFully(position, target);
      for (int i = 0; i < Long.BYTES; i++) {
        long place = begin + at + i - position;
        if (place >= begin && place < target.position()) {
          byte change = (byte) (pattern >>> (8 * i));
          target.put((int) place, (byte) (target.get((int) place) ^ change));
        }
      }
    }

    @Override
    public void close() throws IOException {
      input.close();
    }
  }

  /** A target with memory of its own that remembers what became of it. */
  private record Target(String name, Shape shape, Span span, List<String> log)
      implements TensorTarget {
    @Override
    public DType dtype() {
      return DType.F32;
    }

    @Override
    public Span room() {
      log.add("room " + name);
      return span;
    }

    @Override
    public void filled(Span room) {
      log.add("filled " + name);
    }

    @Override
    public void dropped(Span room) {
      log.add("dropped " + name);
    }
  }

  /** Changes the middle tensor of a part; returns its name. */
  private String change(long bits) {
    PartDescriptor part = generation.manifest().parts(PartKind.MODEL).get(4);
    StoredTensor tensor = part.tensors().get(part.tensors().size() / 2);
    changed = part.path();
    at = tensor.offset() + 8;
    pattern = bits;
    assertThat(tensor.bytes()).isGreaterThan(16);
    return tensor.name();
  }

  private List<String> assertRefused(String message) {
    List<String> log = new ArrayList<>();
    List<Target> targets = new ArrayList<>();
    for (NamedSpan like : PartsWriterTest.tensors(PartKind.MODEL)) {
      Span room = Span.allocate(like.span().bytes());
      targets.add(new Target(like.name(), like.shape(), room, log));
    }
    assertThatThrownBy(() -> store.load(generation, PartKind.MODEL, targets))
        .isInstanceOf(CheckpointException.class)
        .hasMessageStartingWith(changed)
        .hasMessageContaining(message);
    return log;
  }

  private static void assertEveryRoomIsReturnedOnce(List<String> log, String broken) {
    Map<String, String> fates = new TreeMap<>();
    for (String line : log) {
      String[] words = line.split(" ", 2);
      String before = fates.put(words[1], words[0]);
      assertThat(before).as(line).isEqualTo(words[0].equals("room") ? null : "room");
    }
    assertThat(fates).doesNotContainValue("room").containsEntry(broken, "dropped");
    // Names are in the order of parts: what comes before the broken one is whole, nothing else.
    fates.forEach(
        (name, fate) ->
            assertThat(fate).isEqualTo(name.compareTo(broken) < 0 ? "filled" : "dropped"));
  }

  @Test
  void aChangedByteIsSeenByItsBlocksCrc() {
    change(1);
    // The block holds the part from its begin.
    String broken = generation.manifest().parts(PartKind.MODEL).get(4).tensors().get(0).name();
    assertEveryRoomIsReturnedOnce(assertRefused("expected crc32c"), broken);
  }

  @Test
  void whatNoCrcSeesIsSeenByTheHashOfTheTensorInMemory() {
    String broken = change(UNSEEN);
    List<String> log = assertRefused(": tensor " + broken + ": expected sha256 ");
    assertEveryRoomIsReturnedOnce(log, broken);
    opened.clear();
    assertRefused(" in memory, found ");
  }

  @Test
  void withoutAChangeAllTargetsAreFilledInTheirOrder() {
    List<String> log = new ArrayList<>();
    List<Target> targets = new ArrayList<>();
    List<String> expected = new ArrayList<>();
    for (NamedSpan like : PartsWriterTest.tensors(PartKind.MODEL)) {
      Span room = Span.allocate(like.span().bytes());
      targets.add(new Target(like.name(), like.shape(), room, log));
      expected.add("filled " + like.name());
    }
    store.load(generation, PartKind.MODEL, targets);
    log.removeIf(line -> line.startsWith("room"));
    assertThat(log).isEqualTo(expected);
  }
}
