package dev.kindling.driver.store;

import dev.kindling.worker.store.Choices;
import dev.kindling.worker.store.CrashState;
import dev.kindling.worker.store.RecordedMedium;
import dev.kindling.worker.store.Storage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * HDFS under {@link HadoopStorage}. Its persistence: edits of the name node last, in their order;
 * of a file, open or closed, any number of bytes behind its last {@code hsync} may be lost.
 */
final class HdfsMedium implements RecordedMedium {
  private static final Path ROOT = new Path("hdfs://memory/run");

  private final List<HdfsCall> calls = Collections.synchronizedList(new ArrayList<>());
  private final Storage storage;

  /**
   * @param syncs whether streams offer {@code hsync}
   */
  HdfsMedium(boolean syncs) {
    storage = storage(new MemoryHdfs(new HdfsNames(), Map.of(), calls::add, syncs));
  }

  static Storage storage(MemoryHdfs files) {
    return new HadoopStorage(files, ROOT, CommitRule.RENAME);
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
    return new AfterCalls(List.copyOf(calls));
  }

  private static final class AfterCalls implements Replay {
    private final List<HdfsCall> calls;
    private int made;
    private final HdfsNames names = new HdfsNames();
    private final Map<Integer, byte[]> written = new HashMap<>();
    private final Map<Integer, Integer> synced = new HashMap<>();

    AfterCalls(List<HdfsCall> calls) {
      this.calls = calls;
    }

    @Override
    public void advance() {
      HdfsCall call = calls.get(made++);
      names.apply(call);
      if (call instanceof HdfsCall.Written more) {
        byte[] before = content(more.node());
        byte[] after = Arrays.copyOf(before, before.length + more.content().length);
        System.arraycopy(more.content(), 0, after, before.length, more.content().length);
        written.put(more.node(), after);
      } else if (call instanceof HdfsCall.Synced sync) {
        synced.put(sync.node(), content(sync.node()).length);
      }
    }

    private byte[] content(int node) {
      return written.getOrDefault(node, new byte[0]);
    }

    private int safe(int node) {
      return synced.getOrDefault(node, 0);
    }

    @Override
    public List<CrashState> states(int most, Random random) {
      List<Integer> files = new ArrayList<>();
      for (int node : names.nodes.values()) {
        if (content(node).length > safe(node)) {
          files.add(node);
        }
      }
      int[] counts =
          files.stream().mapToInt(node -> content(node).length - safe(node) + 1).toArray();
      List<CrashState> states = new ArrayList<>();
      for (int[] choice : Choices.of(counts, most, random)) {
        Map<Integer, byte[]> left = new HashMap<>();
        for (int node : names.nodes.values()) {
          left.put(node, content(node));
        }
        for (int i = 0; i < choice.length; i++) {
          int node = files.get(i);
          left.put(node, Arrays.copyOf(content(node), safe(node) + choice[i]));
        }
        states.add(state(names.copy(), left));
      }
      return states;
    }

    private static CrashState state(HdfsNames names, Map<Integer, byte[]> left) {
      TreeMap<String, byte[]> all = new TreeMap<>();
      names.nodes.forEach((path, node) -> all.put(node == 0 ? path + "/" : path, left.get(node)));
      return new CrashState(
          CrashState.digest(all),
          () -> storage(new MemoryHdfs(names.copy(), left, call -> {}, true)));
    }
  }
}
