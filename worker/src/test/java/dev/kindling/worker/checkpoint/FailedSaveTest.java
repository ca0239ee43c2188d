package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stays on the disk of a save that failed: its commit decides. */
class FailedSaveTest {
  /** Where the storage throws. */
  private enum Failing {
    NEVER,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    AT_DELETE
  }

  @TempDir Path root;

  private Failing failing = Failing.NEVER;
  private CheckpointStore store;
  private long epoch;

  @BeforeEach
  void open() {
    store = TinyRun.open(failing(new LocalStorage(root)));
    epoch = store.claimEpoch();
  }

  private Storage failing(Storage storage) {
    return (Storage)
        Proxy.newProxyInstance(
            Storage.class.getClassLoader(),
            new Class<?>[] {Storage.class},
            (proxy, method, arguments) -> {
              boolean commit =
                  method.getName().equals("commitExclusive")
                      && String.valueOf(arguments[0]).startsWith("commits/");
              if (commit && failing == Failing.BEFORE_COMMIT) {
                throw new IOException("no space left on device");
              }
              if (failing == Failing.AT_DELETE
                  && method.getName().equals("delete")
                  && String.valueOf(arguments[0]).contains("/model-00001")) {
                throw new IOException("busy");
              }
              try {
                Object result = method.invoke(storage, arguments);
                if (commit && failing == Failing.AFTER_COMMIT) {
                  throw new IOException("the folder could not be forced");
                }
                return result;
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  private List<Path> data() throws IOException {
    return TinyRun.files(root.resolve("data"));
  }

  private void discard(CommitRequest request) {
    store.discard(request.epoch(), request.step(), request.generationSuffix(), request.parts());
  }

  @Test
  void filesOfASaveWithoutACommitGo() throws IOException {
    TinyRun.save(store, epoch, 1, 2);
    List<Path> committed = data();
    CommitRequest request = TinyRun.write(store, epoch, 2, 2);
    failing = Failing.BEFORE_COMMIT;
    assertThatThrownBy(() -> store.commit(request)).hasMessageContaining("no space left");
    assertThat(data()).as("parts alone").hasSize(committed.size() + request.parts().size());
    discard(request);
    assertThat(data()).isEqualTo(committed);
    discard(request);
    assertThat(data()).isEqualTo(committed);
  }

  @Test
  void filesStayIfTheCommitIsThereThoughItFailed() throws IOException {
    CommitRequest request = TinyRun.write(store, epoch, 1, 2);
    failing = Failing.AFTER_COMMIT;
    assertThatThrownBy(() -> store.commit(request)).hasMessageContaining("could not be forced");
    discard(request);
    CheckpointStore next = TinyRun.open(root);
    TinyRun.assertHolds(next, next.newestValid(new ArrayList<>()).orElseThrow(), 1);
  }

  @Test
  void filesStayIfTheCommitCannotBeRead() throws IOException {
    TinyRun.save(store, epoch, 1, 2);
    List<Path> committed = data();
    CheckpointStoreTest.flip(root.resolve("commits/e0000000001-s000000000001.json"));
    discard(
        new CommitRequest(
            epoch,
            1,
            TinyRun.SUFFIX,
            2,
            TinyRun.write(TinyRun.open(root.resolve("twin")), epoch, 1, 2).parts(),
            TinyRun.state(1, 1),
            TinyRun.FACTS));
    assertThat(data()).isEqualTo(committed);
  }

  @Test
  void aSecondTryAtACommittedStepLosesItsOwnFilesOnly() throws IOException {
    TinyRun.save(store, epoch, 1, 1);
    List<Path> committed = data();
    List<PartDescriptor> parts = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      parts.addAll(
          store.writeParts(
              epoch, 1, "again", TinyRun.onePart(kind, 0, 1), TinyRun.tensors(kind, 1)));
    }
    CommitRequest again =
        new CommitRequest(epoch, 1, "again", 1, parts, TinyRun.state(1, 1), TinyRun.FACTS);
    assertThatThrownBy(() -> store.commit(again)).hasMessageContaining("expected a free name");
    discard(again);
    assertThat(data()).isEqualTo(committed);
  }

  @Test
  void aFileThatCannotBeDeletedKeepsNoOther() throws IOException {
    CommitRequest request = TinyRun.write(store, epoch, 1, 2);
    failing = Failing.AT_DELETE;
    discard(request);
    assertThat(data())
        .singleElement()
        .satisfies(file -> assertThat(file).hasFileName("model-00001-of-00002.safetensors"));
  }
}
