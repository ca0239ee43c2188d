package dev.kindling.driver.store;

/** A call that changes HDFS: an edit of the name node's, or bytes on their way to data nodes. */
sealed interface HdfsCall {
  /**
   * A new file or folder.
   *
   * @param node unique, 0 for a folder
   */
  record Made(String path, int node) implements HdfsCall {}

  /** A file that takes another name, over what was there. */
  record Renamed(String from, String to) implements HdfsCall {}

  /** A file, or a folder with all that is in it. */
  record Deleted(String path) implements HdfsCall {}

  record Written(int node, byte[] content) implements HdfsCall {}

  /** {@code hsync} of what was written so far. */
  record Synced(int node) implements HdfsCall {}

  record Closed(int node) implements HdfsCall {}
}
