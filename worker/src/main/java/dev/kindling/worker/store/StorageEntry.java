package dev.kindling.worker.store;

/**
 * One line of a listing.
 *
 * @param name last component, without the folder
 * @param kind file, folder, or something that we never open (a link, a device)
 * @param bytes length of a file, 0 for the others
 */
public record StorageEntry(String name, Kind kind, long bytes) {
  /** What stands under a name. */
  public enum Kind {
    FILE,
    FOLDER,
    OTHER
  }

  public boolean isFile() {
    return kind == Kind.FILE;
  }
}
