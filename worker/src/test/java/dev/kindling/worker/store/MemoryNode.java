package dev.kindling.worker.store;

import java.util.TreeMap;

/** A file or a folder of a {@link MemoryFileSystem}; several names may stand for one file. */
final class MemoryNode {
  /** Negative for folders, positive for files, unique within a file system. */
  final int number;

  /** Of a folder. */
  final TreeMap<String, MemoryNode> entries = new TreeMap<>();

  /** Of a file; replaced by every write and never changed, so that nodes may share it. */
  byte[] content = {};

  MemoryNode(int number) {
    this.number = number;
  }

  boolean isFolder() {
    return number < 0;
  }
}
