package dev.kindling.comm.ring;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import java.io.IOException;
import java.net.SocketOption;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells that a peer's process is gone while nobody talks to it: while the devices work, the ring is
 * silent. One authenticated connection per peer that carries nothing; its end is the news. The
 * kernel ends it when a process dies, however it dies, and probes it when a host may be gone.
 */
public final class PeerWatch implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(PeerWatch.class);

  /** A silent host is given up after 3 + 3 * 1 s; a process that is only slow still answers. */
  private static final Map<String, Integer> PROBES =
      Map.of("TCP_KEEPIDLE", 3, "TCP_KEEPINTERVAL", 1, "TCP_KEEPCOUNT", 3);

  private final Selector selector;
  private final @Nullable SocketChannel[] channels;
  private final TreeSet<Integer> gone = new TreeSet<>();
  private volatile @Nullable String news;
  private volatile boolean closed;

  private PeerWatch(Selector selector, @Nullable SocketChannel[] channels) throws IOException {
    this.selector = selector;
    this.channels = channels;
    for (int peer = 0; peer < channels.length; peer++) {
      SocketChannel channel = channels[peer];
      if (channel != null) {
        probe(channel);
        channel.register(selector, SelectionKey.OP_READ, peer);
      }
    }
    Thread thread = new Thread(this::watch, "peer-watch");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Connects to every peer; all ranks call it together.
   *
   * @throws CollectiveException as {@link RingCommunicator#open}
   */
  public static PeerWatch open(RingOptions options, Rendezvous rendezvous) {
    @Nullable SocketChannel[] channels = Opening.connect(options, rendezvous);
    try {
      return new PeerWatch(Selector.open(), channels);
    } catch (IOException e) {
      Opening.closeAll(channels);
      throw new CollectiveException("cannot watch the peers: " + e, e);
    }
  }

  private static void probe(SocketChannel channel) throws IOException {
    channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    for (SocketOption<?> option : channel.supportedOptions()) {
      Integer value = PROBES.get(option.name());
      if (value != null && option.type() == Integer.class) {
        @SuppressWarnings("unchecked") // The type was just looked at.
        SocketOption<Integer> number = (SocketOption<Integer>) option;
        channel.setOption(number, value);
      }
    }
  }

  /** Which peers are gone, in words, once there are some. */
  public Optional<String> lost() {
    return Optional.ofNullable(news);
  }

  private void watch() {
    ByteBuffer ignored = ByteBuffer.allocate(16);
    try {
      while (!closed) {
        selector.select();
        for (SelectionKey key : selector.selectedKeys()) {
          look(key, ignored);
        }
        selector.selectedKeys().clear();
      }
    } catch (ClosedSelectorException | CancelledKeyException end) {
      // Closed by us.
    } catch (IOException broken) {
      LOG.warn("the watch over the peers ended: {}", broken.toString());
    }
  }

  private void look(SelectionKey key, ByteBuffer ignored) {
    boolean ended;
    try {
      ignored.clear();
      ended = ((SocketChannel) key.channel()).read(ignored) < 0;
    } catch (IOException broken) {
      ended = true;
    }
    if (ended && !closed) {
      key.cancel();
      gone.add((Integer) key.attachment());
      news = "lost the connection to ranks " + gone;
    }
  }

  @Override
  public void close() {
    closed = true;
    Opening.closeAll(channels);
    try {
      selector.close();
    } catch (IOException e) {
      throw new IllegalStateException("a selector does not fail to close", e);
    }
  }
}
