package dev.kindling.worker.store;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Predicate;

/**
 * A local disk under {@link LocalStorage}. Its persistence: what was not forced may be absent; of
 * the bytes of a file any number may be there, or zeros in their place; of the names of a folder
 * any that changed may be old or new, whatever came later and whatever happened in other folders.
 * Only the two names of a rename change together.
 */
public final class LocalMedium implements RecordedMedium {
  /** Two folders deep, since those above the root must last as well. */
  private static final String ROOT = "/run/checkpoints";

  private final List<LocalCall> calls = Collections.synchronizedList(new ArrayList<>());
  private final Storage storage;

  private LocalMedium(Predicate<LocalCall> heard) {
    storage =
        storage(
            MemoryFileSystem.create(
                call -> {
                  if (heard.test(call)) {
                    calls.add(call);
                  }
                }));
  }

  public static LocalMedium create() {
    return new LocalMedium(call -> true);
  }

  /** Of a storage that never forces a file. */
  public static LocalMedium withoutForceOfFiles() {
    return new LocalMedium(call -> !(call instanceof LocalCall.Forced forced && forced.node() > 0));
  }

  /** Of a storage that never forces a folder. */
  public static LocalMedium withoutForceOfFolders() {
    return new LocalMedium(call -> !(call instanceof LocalCall.Forced forced && forced.node() < 0));
  }

  /** The storage under test on a file system in memory. */
  public static Storage storage(MemoryFileSystem files) {
    Path root = files.getPath(ROOT);
    return new LocalStorage(root);
  }

  @Override
  public Storage storage() {
    return storage;
  }

  @Override
  public int calls() {
    return calls.size();
  }

  @Override
  public Replay replay() {
    return new LocalReplay(List.copyOf(calls));
  }
}
