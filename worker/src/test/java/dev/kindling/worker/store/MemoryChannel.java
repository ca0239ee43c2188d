package dev.kindling.worker.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;

/** Appends, positional reads and forces: what a write-once file needs. */
final class MemoryChannel extends FileChannel {
  private final MemoryProvider files;
  private final MemoryNode node;

  MemoryChannel(MemoryProvider files, MemoryNode node) {
    this.files = files;
    this.node = node;
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    byte[] content = new byte[source.remaining()];
    source.duplicate().get(content);
    files.append(node, content);
    source.position(source.limit());
    return content.length;
  }

  @Override
  public int read(ByteBuffer target, long position) throws IOException {
    byte[] content = files.content(node);
    if (position >= content.length) {
      return -1;
    }
    int count = (int) Math.min(target.remaining(), content.length - position);
    target.put(content, (int) position, count);
    return count;
  }

  @Override
  public long size() throws IOException {
    return files.content(node).length;
  }

  @Override
  public void force(boolean metadata) throws IOException {
    files.force(node);
  }

  @Override
  protected void implCloseChannel() {}

  @Override
  public int read(ByteBuffer target) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long read(ByteBuffer[] targets, int offset, int count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long write(ByteBuffer[] sources, int offset, int count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int write(ByteBuffer source, long position) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long position() {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileChannel position(long position) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileChannel truncate(long size) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long transferTo(long position, long count, WritableByteChannel target) {
    throw new UnsupportedOperationException();
  }

  @Override
  public long transferFrom(ReadableByteChannel source, long position, long count) {
    throw new UnsupportedOperationException();
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long position, long size) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileLock lock(long position, long size, boolean shared) {
    throw new UnsupportedOperationException();
  }

  @Override
  public FileLock tryLock(long position, long size, boolean shared) {
    throw new UnsupportedOperationException();
  }
}
