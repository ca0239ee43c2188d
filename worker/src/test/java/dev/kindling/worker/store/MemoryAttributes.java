package dev.kindling.worker.store;

import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;

/** Kind and length of a node; it has no times, by which nobody may judge. */
record MemoryAttributes(MemoryNode node) implements BasicFileAttributes {
  private static final FileTime START = FileTime.fromMillis(0);

  @Override
  public FileTime lastModifiedTime() {
    return START;
  }

  @Override
  public FileTime lastAccessTime() {
    return START;
  }

  @Override
  public FileTime creationTime() {
    return START;
  }

  @Override
  public boolean isRegularFile() {
    return !node.isFolder();
  }

  @Override
  public boolean isDirectory() {
    return node.isFolder();
  }

  @Override
  public boolean isSymbolicLink() {
    return false;
  }

  @Override
  public boolean isOther() {
    return false;
  }

  @Override
  public long size() {
    return node.content.length;
  }

  @Override
  public Object fileKey() {
    return node.number;
  }
}
