package dev.kindling.worker.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;

/** Hashes a stream of bytes as it passes: SHA-256 of all, CRC32C of every block. */
final class Hashing {
  private final MessageDigest whole = sha256();
  private final CRC32C block = new CRC32C();
  private final List<Integer> blocks = new ArrayList<>();
  private final int blockBytes;
  private int inBlock;
  private long bytes;

  Hashing(int blockBytes) {
    this.blockBytes = blockBytes;
  }

  /** Takes the remaining bytes without moving the buffer's position. */
  void update(ByteBuffer content) {
    whole.update(content.duplicate());
    ByteBuffer rest = content.duplicate();
    bytes += rest.remaining();
    while (rest.hasRemaining()) {
      int count = Math.min(blockBytes - inBlock, rest.remaining());
      ByteBuffer piece = rest.slice(rest.position(), count);
      block.update(piece);
      rest.position(rest.position() + count);
      inBlock += count;
      if (inBlock == blockBytes) {
        endBlock();
      }
    }
  }

  private void endBlock() {
    blocks.add((int) block.getValue());
    block.reset();
    inBlock = 0;
  }

  FileHash finish() {
    if (inBlock > 0) {
      endBlock();
    }
    return new FileHash(bytes, HexFormat.of().formatHex(whole.digest()), blockBytes, blocks);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java platform has SHA-256", impossible);
    }
  }

  static String sha256(ByteBuffer content) {
    MessageDigest digest = sha256();
    digest.update(content.duplicate());
    return HexFormat.of().formatHex(digest.digest());
  }

  static String sha256(byte[] content) {
    return sha256(ByteBuffer.wrap(content));
  }

  static String sha256(String text) {
    return sha256(text.getBytes(StandardCharsets.UTF_8));
  }

  static int crc32c(ByteBuffer content) {
    CRC32C crc = new CRC32C();
    crc.update(content.duplicate());
    return (int) crc.getValue();
  }
}
