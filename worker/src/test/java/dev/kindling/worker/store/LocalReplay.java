package dev.kindling.worker.store;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** A local disk while its calls are made: what is durable, and what is under way. */
final class LocalReplay implements RecordedMedium.Replay {
  private static final int ROOT = -1;

  private final List<LocalCall> calls;
  private int made;

  /** By folder, its names as forced. */
  private final Map<Integer, Map<String, Integer>> durable = new TreeMap<>();

  /** By folder, what changed since. */
  private final Map<Integer, List<Map<String, Integer>>> pending = new TreeMap<>();

  /** By file, how many bytes are forced. */
  private final Map<Integer, Integer> forced = new HashMap<>();

  private final Map<Integer, byte[]> written = new HashMap<>();

  LocalReplay(List<LocalCall> calls) {
    this.calls = calls;
  }

  @Override
  public void advance() {
    LocalCall call = calls.get(made++);
    if (call instanceof LocalCall.Entries entries) {
      pending.computeIfAbsent(entries.folder(), none -> new ArrayList<>()).add(entries.nodes());
    } else if (call instanceof LocalCall.Written more) {
      byte[] before = content(more.file());
      byte[] after = Arrays.copyOf(before, before.length + more.content().length);
      System.arraycopy(more.content(), 0, after, before.length, more.content().length);
      written.put(more.file(), after);
    } else if (call instanceof LocalCall.Forced force) {
      forced.put(force.node(), content(force.node()).length);
      List<Map<String, Integer>> changes = pending.remove(force.node());
      if (changes != null) {
        changes.forEach(change -> change(names(force.node()), change));
      }
    }
  }

  private byte[] content(int file) {
    return written.getOrDefault(file, new byte[0]);
  }

  private Map<String, Integer> names(int folder) {
    return durable.computeIfAbsent(folder, none -> new TreeMap<>());
  }

  private static void change(Map<String, Integer> names, Map<String, Integer> change) {
    change.forEach(
        (name, node) -> {
          if (node == LocalCall.NOTHING) {
            names.remove(name);
          } else {
            names.put(name, node);
          }
        });
  }

  @Override
  public List<CrashState> states(int most, Random random) {
    List<Integer> folders = new ArrayList<>();
    pending.forEach((folder, changes) -> changes.forEach(change -> folders.add(folder)));
    List<Integer> files = new ArrayList<>();
    for (int file : reachable()) {
      if (forced.getOrDefault(file, 0) < content(file).length) {
        files.add(file);
      }
    }
    int[] counts = new int[folders.size() + files.size()];
    Arrays.fill(counts, 2);
    for (int i = 0; i < files.size(); i++) {
      int file = files.get(i);
      // Any length from the forced one on, and all of it with zeros for what was not.
      counts[folders.size() + i] = content(file).length - forced.getOrDefault(file, 0) + 2;
    }
    List<CrashState> states = new ArrayList<>();
    for (int[] choice : Choices.of(counts, most, random)) {
      states.add(state(folders.size(), files, choice));
    }
    return states;
  }

  private Set<Integer> reachable() {
    Set<Integer> files = new TreeSet<>();
    durable.values().forEach(names -> files.addAll(names.values()));
    pending.values().forEach(changes -> changes.forEach(change -> files.addAll(change.values())));
    files.removeIf(node -> node <= 0);
    return files;
  }

  private CrashState state(int folders, List<Integer> files, int[] choice) {
    Map<Integer, Map<String, Integer>> names = new HashMap<>();
    durable.forEach((folder, entries) -> names.put(folder, new TreeMap<>(entries)));
    int at = 0;
    for (Map.Entry<Integer, List<Map<String, Integer>>> changes : pending.entrySet()) {
      Map<String, Integer> entries =
          names.computeIfAbsent(changes.getKey(), none -> new TreeMap<>());
      for (Map<String, Integer> change : changes.getValue()) {
        if (choice[at++] == 1) {
          change(entries, change);
        }
      }
    }
    Map<Integer, byte[]> cut = new HashMap<>();
    for (int i = 0; i < files.size(); i++) {
      cut.put(files.get(i), survived(files.get(i), choice[folders + i]));
    }
    TreeMap<String, byte[]> contents = new TreeMap<>();
    collect("", ROOT, names, cut, contents);
    return new CrashState(
        CrashState.digest(contents),
        () -> {
          MemoryNode root = tree(ROOT, names, cut);
          return LocalMedium.storage(new MemoryFileSystem(root, call -> {}));
        });
  }

  private byte[] survived(int file, int choice) {
    byte[] whole = content(file);
    int safe = forced.getOrDefault(file, 0);
    if (choice == 1) {
      return Arrays.copyOf(Arrays.copyOf(whole, safe), whole.length);
    }
    return Arrays.copyOf(whole, safe + Math.max(0, choice - 1));
  }

  private void collect(
      String path,
      int folder,
      Map<Integer, Map<String, Integer>> names,
      Map<Integer, byte[]> cut,
      Map<String, byte[]> contents) {
    names
        .getOrDefault(folder, Map.of())
        .forEach(
            (name, node) -> {
              if (node > 0) {
                contents.put(path + name, cut.getOrDefault(node, content(node)));
              } else {
                contents.put(path + name + "/", new byte[0]);
                collect(path + name + "/", node, names, cut, contents);
              }
            });
  }

  private MemoryNode tree(
      int number, Map<Integer, Map<String, Integer>> names, Map<Integer, byte[]> cut) {
    MemoryNode node = new MemoryNode(number);
    names
        .getOrDefault(number, Map.of())
        .forEach(
            (name, child) -> {
              MemoryNode inside = tree(child, names, cut);
              inside.content = cut.getOrDefault(child, content(child));
              node.entries.put(name, inside);
            });
    return node;
  }
}
