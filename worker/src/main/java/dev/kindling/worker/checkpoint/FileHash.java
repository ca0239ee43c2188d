package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import java.util.HexFormat;
import java.util.List;

/**
 * What identifies the bytes of a file: SHA-256 of the whole (identity, tampering) and CRC32C of
 * every block (locates damage, and is checked again at every read).
 *
 * @param bytes length of the file
 * @param sha256 lower-case hexadecimal
 * @param blockBytes size of every block but the last
 * @param crc32c one value per block, as unsigned 32 bits
 */
public record FileHash(long bytes, String sha256, int blockBytes, List<Integer> crc32c) {
  static final int BLOCK_BYTES = 1 << 20;

  public FileHash {
    crc32c = List.copyOf(crc32c);
    if (!sha256.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException(
          "sha256: expected 64 lower-case hexadecimal digits, found " + sha256.length());
    }
    long blocks = (bytes + blockBytes - 1) / blockBytes;
    if (crc32c.size() != blocks) {
      throw new IllegalArgumentException(
          "crc32c: expected " + blocks + " blocks, found " + crc32c.size());
    }
  }

  int bytesOfBlock(int block) {
    return (int) Math.min(blockBytes, bytes - (long) block * blockBytes);
  }

  Json.Building putInto(Json.Building json) {
    return json.put("bytes", bytes)
        .put("sha256", sha256)
        .put("blockSize", blockBytes)
        .put("crc32c", Json.strings(crc32c.stream().map(HexFormat.of()::toHexDigits).toList()));
  }

  static FileHash of(Json.Obj json) {
    long bytes = json.integer("bytes", 0, 1L << 50);
    int blockBytes = (int) json.integer("blockSize", 1, 1 << 30);
    List<Integer> crc32c = json.texts("crc32c").stream().map(HexFormat::fromHexDigits).toList();
    return new FileHash(bytes, json.text("sha256"), blockBytes, crc32c);
  }
}
