package dev.kindling.worker.data;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The work of one task: some fragments in order, together about 8 MiB, so that a task is worth its
 * start and a tokenizer is opened once for many small files.
 *
 * @param fixed the split of all documents; null: decided by content hash
 */
record Group(int index, @Nullable SplitName fixed, ArrayList<Fragment> fragments)
    implements Serializable {
  private static final long BYTES = 8L << 20;

  /** Appends the fragments to {@code groups}, cut by their sizes alone. */
  static void cut(List<Fragment> fragments, @Nullable SplitName fixed, List<Group> groups) {
    ArrayList<Fragment> open = new ArrayList<>();
    long bytes = 0;
    for (Fragment fragment : fragments) {
      open.add(fragment);
      bytes += fragment.bytes();
      if (bytes >= BYTES) {
        groups.add(new Group(groups.size(), fixed, open));
        open = new ArrayList<>();
        bytes = 0;
      }
    }
    if (!open.isEmpty()) {
      groups.add(new Group(groups.size(), fixed, open));
    }
  }

  void read(Fragment.Sink sink) {
    for (Fragment fragment : fragments) {
      fragment.read(sink);
    }
  }
}
