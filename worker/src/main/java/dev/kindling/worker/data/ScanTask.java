package dev.kindling.worker.data;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;

/**
 * First pass: reads a group, checks that all of it is text, hashes it.
 *
 * @param listed also return the hash of each document, for finding equal ones across groups
 */
record ScanTask(boolean listed) implements WorkPool.Task<Group, ScanTask.Scan> {
  /**
   * @param sha256 over the documents' contents in order
   * @param smallest least place of a document on the split line, see {@link #place}
   */
  record Scan(String sha256, long documents, long smallest, ArrayList<String> hashes)
      implements Serializable {}

  @Override
  public Scan run(Group group) {
    MessageDigest all = Sha256.fresh();
    long[] found = {0, Long.MAX_VALUE};
    ArrayList<String> hashes = new ArrayList<>();
    group.read(
        (name, utf8) -> {
          byte[] hash = Sha256.fresh().digest(utf8);
          all.update(hash);
          found[0]++;
          found[1] = Math.min(found[1], place(hash));
          if (listed) {
            hashes.add(HexFormat.of().formatHex(hash, 0, 16));
          }
        });
    return new Scan(HexFormat.of().formatHex(all.digest()), found[0], found[1], hashes);
  }

  /** Place of a document in {@code [0, 2^62)}, uniform, from its content alone. */
  static long place(byte[] sha256) {
    return ByteBuffer.wrap(sha256).getLong() >>> 2;
  }

  /** Documents whose place is below the line are held out. */
  static long line(double fraction) {
    return (long) (fraction * 0x1p62);
  }
}
