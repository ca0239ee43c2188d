package dev.kindling.comm.ring;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Agrees with each peer on the same host on memory that both map. Whatever stands in the way (no
 * memory file system, another container, a full one, another user) leaves that pair on its socket.
 *
 * <p>The lower rank makes a file with a random name that only its user may open, writes it full of
 * zeros so that the memory exists before anybody maps it, and names it over the authenticated
 * connection; the higher rank opens it, not through a link, and says so; then the lower one deletes
 * the name. From then on nobody else can open it, and the memory goes with the last of the two
 * processes however they end. Only a kill within these milliseconds leaves a name behind.
 */
final class SharedOpening {
  private static final Logger LOG = LoggerFactory.getLogger(SharedOpening.class);

  /** Where Linux keeps files in memory; a file on a disk would be written back to it. */
  private static final Path FOLDER = Path.of("/dev/shm");

  private static final String PREFIX = "kindling-";

  private static final FileAttribute<?> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private final int rank;
  private final @Nullable SocketChannel[] channels;
  private final int pipeBytes;
  private final int timeoutMillis;
  private final @Nullable SharedLink[] links;
  private final @Nullable Path[] files;

  private SharedOpening(int rank, @Nullable SocketChannel[] channels, RingOptions options) {
    this.rank = rank;
    this.channels = channels;
    pipeBytes = options.tuning().sharedBytes();
    timeoutMillis = (int) Math.min(Integer.MAX_VALUE, options.openTimeout().toMillis());
    links = new SharedLink[channels.length];
    files = new Path[channels.length];
  }

  /** True if the two ends of {@code channel} have one address. */
  static boolean sameHost(SocketChannel channel) throws IOException {
    return channel.getLocalAddress() instanceof InetSocketAddress own
        && channel.getRemoteAddress() instanceof InetSocketAddress other
        && Objects.equals(own.getAddress(), other.getAddress());
  }

  /** The link to each peer that has one. All ranks call it once, right after the handshakes. */
  static @Nullable SharedLink[] connect(
      int rank, @Nullable SocketChannel[] channels, RingOptions options) throws IOException {
    return new SharedOpening(rank, channels, options).run();
  }

  private @Nullable SharedLink[] run() throws IOException {
    try {
      for (int peer = rank + 1; peer < channels.length; peer++) {
        offer(peer, Objects.requireNonNull(channels[peer]));
      }
      for (int peer = 0; peer < rank; peer++) {
        accept(peer, Objects.requireNonNull(channels[peer]));
      }
      for (int peer = rank + 1; peer < channels.length; peer++) {
        conclude(peer, Objects.requireNonNull(channels[peer]));
      }
      return links;
    } finally {
      for (Path file : files) {
        if (file != null) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private void offer(int peer, SocketChannel channel) throws IOException {
    if (sameHost(channel)) {
      String name = "";
      if (pipeBytes > 0 && Files.isDirectory(FOLDER)) {
        try {
          Path file = privateFile(FOLDER);
          files[peer] = file;
          Files.write(file, new byte[SharedLink.size(pipeBytes)]);
          links[peer] = new SharedLink(map(file), true);
          name = file.toString();
        } catch (IOException e) {
          LOG.warn("rank {} talks to rank {} over a socket: {}", rank, peer, e.toString());
        }
      }
      wait(channel);
      new DataOutputStream(channel.socket().getOutputStream()).writeUTF(name);
    }
  }

  private void accept(int peer, SocketChannel channel) throws IOException {
    if (sameHost(channel)) {
      wait(channel);
      String name = new DataInputStream(channel.socket().getInputStream()).readUTF();
      if (pipeBytes > 0 && !name.isEmpty()) {
        try {
          links[peer] = new SharedLink(map(FOLDER.resolve(Path.of(name).getFileName())), false);
        } catch (IOException | InvalidPathException e) {
          LOG.warn("rank {} talks to rank {} over a socket: {}", rank, peer, e.toString());
        }
      }
      channel.socket().getOutputStream().write(links[peer] == null ? 0 : 1);
      channel.configureBlocking(false);
    }
  }

  private void conclude(int peer, SocketChannel channel) throws IOException {
    if (sameHost(channel)) {
      if (channel.socket().getInputStream().read() != 1) {
        links[peer] = null;
      }
      channel.configureBlocking(false);
    }
  }

  /** A fresh file with a name that nobody can guess, for its owner alone. */
  static Path privateFile(Path folder) throws IOException {
    return Files.createTempFile(folder, PREFIX, "", OWNER_ONLY);
  }

  /** Lets reads wait, but not for ever. */
  private void wait(SocketChannel channel) throws IOException {
    channel.configureBlocking(true);
    channel.socket().setSoTimeout(timeoutMillis);
  }

  /** All of {@code file}, touched, so that the first collective meets no page fault. */
  private static ByteBuffer map(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS))) {
      return channel.map(FileChannel.MapMode.READ_WRITE, 0, channel.size()).load();
    }
  }
}
