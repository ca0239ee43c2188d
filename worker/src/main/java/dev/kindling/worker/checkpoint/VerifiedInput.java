package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A file whose every block is checked against its CRC32C before one byte of it is handed on. Blocks
 * pass through one buffer on this side, so that a file that changes between check and copy cannot
 * slip through.
 */
final class VerifiedInput implements StorageInput {
  private final StorageInput input;
  private final String file;
  private final FileHash expected;
  private final ByteBuffer block;
  private int blockHeld = -1;

  VerifiedInput(StorageInput input, String file, FileHash expected) throws IOException {
    this.input = input;
    this.file = file;
    this.expected = expected;
    this.block =
        ByteBuffer.allocate((int) Math.min(expected.blockBytes(), Math.max(1, expected.bytes())));
    long found = input.length();
    if (found != expected.bytes()) {
      throw new CheckpointException(
          file + ": expected " + expected.bytes() + " bytes, found " + found);
    }
  }

  /** Reads the whole file once: every CRC, then the SHA-256. */
  void verifyAll() throws IOException {
    Hashing hashing = new Hashing(expected.blockBytes());
    for (int i = 0; i < expected.crc32c().size(); i++) {
      hashing.update(block(i));
    }
    String found = hashing.finish().sha256();
    if (!found.equals(expected.sha256())) {
      throw new CheckpointException(
          file + ": expected sha256 " + expected.sha256() + ", found " + found);
    }
  }

  @Override
  public long length() {
    return expected.bytes();
  }

  @Override
  public void readFully(long position, ByteBuffer target) throws IOException {
    if (position < 0 || position + target.remaining() > expected.bytes()) {
      throw new CheckpointException(
          file
              + ": byte "
              + position
              + ": expected "
              + target.remaining()
              + " more bytes, found the end at "
              + expected.bytes());
    }
    long at = position;
    while (target.hasRemaining()) {
      ByteBuffer verified = block((int) (at / expected.blockBytes()));
      int from = (int) (at % expected.blockBytes());
      int count = Math.min(target.remaining(), verified.remaining() - from);
      target.put(verified.slice(from, count));
      at += count;
    }
  }

  private ByteBuffer block(int index) throws IOException {
    if (index != blockHeld) {
      blockHeld = -1;
      block.clear().limit(expected.bytesOfBlock(index));
      long position = (long) index * expected.blockBytes();
      input.readFully(position, block);
      block.flip();
      int found = Hashing.crc32c(block);
      if (found != expected.crc32c().get(index)) {
        throw new CheckpointException(
            String.format(
                java.util.Locale.ROOT,
                "%s: block %d (byte %d): expected crc32c %08x, found %08x",
                file,
                index,
                position,
                expected.crc32c().get(index),
                found));
      }
      blockHeld = index;
    }
    return block.duplicate().position(0).limit(expected.bytesOfBlock(index));
  }

  @Override
  public void close() throws IOException {
    input.close();
  }
}
