package dev.kindling.driver.store;

import java.util.List;
import java.util.TreeMap;

/** The name node's tree: numbers of files by path, 0 for folders. */
final class HdfsNames {
  final TreeMap<String, Integer> nodes = new TreeMap<>();

  HdfsNames copy() {
    HdfsNames copy = new HdfsNames();
    copy.nodes.putAll(nodes);
    return copy;
  }

  void apply(HdfsCall call) {
    if (call instanceof HdfsCall.Made made) {
      nodes.put(made.path(), made.node());
    } else if (call instanceof HdfsCall.Renamed renamed) {
      nodes.put(renamed.to(), nodes.remove(renamed.from()));
    } else if (call instanceof HdfsCall.Deleted deleted) {
      nodes.keySet().removeAll(below(deleted.path()));
      nodes.remove(deleted.path());
    }
  }

  /** Everything inside a folder, however deep. */
  List<String> below(String folder) {
    String prefix = folder.equals("/") ? folder : folder + "/";
    return List.copyOf(nodes.subMap(prefix, prefix + Character.MAX_VALUE).keySet());
  }
}
