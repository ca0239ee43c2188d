package dev.kindling.comm.ring;

import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.fault.Failpoint;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens one authenticated connection per pair of ranks; the higher rank connects to the lower one.
 * All in the calling thread, one selector. The listener lives only as long as the opening.
 *
 * <p>Strangers: at most 64 unproven connections, 5 seconds and 48 bytes each; the oldest makes room
 * for a new one. A rank whose connection was pushed out that way tries again until the time-out,
 * with a {@link Backoff}. The first refusal of a peer, and of a stranger, is logged; the rest are
 * counted.
 */
final class Opening {
  private static final Logger LOG = LoggerFactory.getLogger(Opening.class);
  private static final String GREETING = "kindling-ring/3";
  private static final long UNPROVEN_NANOS = 5_000_000_000L;
  private static final int UNPROVEN_LIMIT = 64;
  private static final long TICK_MILLIS = 10;

  private final RingOptions options;
  private final OpeningScope scope;
  private final List<InetSocketAddress> addresses;
  private final ServerSocketChannel listener;
  private final Selector selector;
  private final InetAddress own;
  private final List<Handshake> pending = new ArrayList<>();
  private final Backoff[] peers;
  private final Backoff strangers = new Backoff();
  private int refused;

  private Opening(
      RingOptions options,
      OpeningScope scope,
      List<InetSocketAddress> addresses,
      ServerSocketChannel listener,
      Selector selector,
      InetAddress own) {
    this.options = options;
    this.scope = scope;
    this.addresses = addresses;
    this.listener = listener;
    this.selector = selector;
    this.own = own;
    peers = new Backoff[addresses.size()];
    Arrays.setAll(peers, peer -> new Backoff());
  }

  /** The connection to each peer, non-blocking, null at the own rank. */
  static @Nullable SocketChannel[] connect(RingOptions options, Rendezvous rendezvous) {
    InetAddress own = Binding.address(options.bind());
    try (ServerSocketChannel listener = Binding.listen(own, options.port());
        Selector selector = Selector.open()) {
      byte[] nonce = new byte[16];
      new SecureRandom().nextBytes(nonce);
      var local = (InetSocketAddress) listener.getLocalAddress();
      Failpoint.RENDEZVOUS.before();
      List<String> messages =
          rendezvous.allGather(
              String.join(
                  " ",
                  GREETING,
                  own.getHostAddress(),
                  Integer.toString(local.getPort()),
                  HexFormat.of().formatHex(nonce)));
      Failpoint.RENDEZVOUS.after();
      var scope =
          new OpeningScope(
              rendezvous.rank(),
              rendezvous.worldSize(),
              options.secret(),
              context(options, messages));
      var opening = new Opening(options, scope, parse(messages), listener, selector, own);
      return opening.run();
    } catch (IOException e) {
      throw new CollectiveException("cannot open the connections: " + e, e);
    }
  }

  private static byte[] context(RingOptions options, List<String> messages) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String message : messages) {
        digest.update((message + "\n").getBytes(StandardCharsets.UTF_8));
      }
      byte[] job = options.jobId().getBytes(StandardCharsets.UTF_8);
      byte[] met = digest.digest();
      return ByteBuffer.allocate(Integer.BYTES + job.length + Long.BYTES + met.length)
          .putInt(job.length)
          .put(job)
          .putLong(options.attempt())
          .put(met)
          .array();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private static List<InetSocketAddress> parse(List<String> messages) throws IOException {
    var addresses = new ArrayList<InetSocketAddress>();
    for (int rank = 0; rank < messages.size(); rank++) {
      String[] words = messages.get(rank).split(" ", -1);
      if (words.length != 4 || !words[0].equals(GREETING)) {
        throw new CollectiveException(
            "rank " + rank + " does not speak " + GREETING + " but: " + messages.get(rank));
      }
      addresses.add(
          new InetSocketAddress(InetAddress.getByName(words[1]), Integer.parseInt(words[2])));
    }
    return addresses;
  }

  private @Nullable SocketChannel[] run() throws IOException {
    boolean open = false;
    try {
      listener.register(selector, SelectionKey.OP_ACCEPT);
      long deadline = System.nanoTime() + options.openTimeout().toNanos();
      while (!missing().isEmpty()) {
        if (System.nanoTime() - deadline > 0) {
          throw new CollectiveException(
              "rank "
                  + scope.rank()
                  + " waited "
                  + options.openTimeout().toMillis()
                  + " ms, no connection with ranks "
                  + missing()
                  + " ("
                  + refused
                  + " connections refused)");
        }
        connectMissing();
        selector.select(TICK_MILLIS);
        acceptNew();
        for (Handshake handshake : List.copyOf(pending)) {
          advance(handshake);
        }
      }
      open = true;
      return scope.channels();
    } finally {
      for (Handshake handshake : pending) {
        Binding.closeQuietly(handshake.channel());
      }
      if (!open) {
        closeAll(scope.channels());
      }
    }
  }

  private List<Integer> missing() {
    var missing = new ArrayList<Integer>();
    for (int peer = 0; peer < addresses.size(); peer++) {
      if (peer != scope.rank() && scope.channels()[peer] == null) {
        missing.add(peer);
      }
    }
    return missing;
  }

  private void connectMissing() throws IOException {
    for (int peer : missing()) {
      if (peer < scope.rank() && !trying(peer) && peers[peer].mayAsk(System.nanoTime())) {
        SocketChannel channel = SocketChannel.open();
        try {
          configure(channel);
          channel.bind(new InetSocketAddress(own, 0));
          boolean connected = channel.connect(addresses.get(peer));
          var handshake = Handshake.initiate(channel, scope, peer);
          int interest = connected ? handshake.interest() : SelectionKey.OP_CONNECT;
          channel.register(selector, interest);
          pending.add(handshake);
        } catch (IOException e) {
          Binding.closeQuietly(channel);
          throw new CollectiveException(
              "cannot connect to rank " + peer + " at " + addresses.get(peer) + ": " + e, e);
        }
      }
    }
  }

  private boolean trying(int peer) {
    for (Handshake handshake : pending) {
      if (handshake.initiator() && handshake.peer() == peer) {
        return true;
      }
    }
    return false;
  }

  private void configure(SocketChannel channel) throws IOException {
    channel.configureBlocking(false);
    channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    channel.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    int bytes = options.tuning().socketBytes();
    if (bytes > 0) {
      channel.setOption(StandardSocketOptions.SO_SNDBUF, bytes);
      channel.setOption(StandardSocketOptions.SO_RCVBUF, bytes);
    }
  }

  private void acceptNew() throws IOException {
    SocketChannel channel = listener.accept();
    while (channel != null) {
      dropOldestIfFull();
      configure(channel);
      channel.register(selector, SelectionKey.OP_READ);
      pending.add(Handshake.accept(channel, scope));
      channel = listener.accept();
    }
  }

  /** The oldest goes, not the newest: one of ours needs a millisecond, a silent one seconds. */
  private void dropOldestIfFull() {
    int strangers = 0;
    Handshake oldest = null;
    for (Handshake handshake : pending) {
      if (!handshake.initiator()) {
        strangers++;
        oldest = oldest == null ? handshake : oldest;
      }
    }
    if (strangers >= UNPROVEN_LIMIT && oldest != null) {
      refuse(oldest, "too many connections are waiting");
    }
  }

  private void advance(Handshake handshake) {
    SocketChannel channel = handshake.channel();
    try {
      if (!channel.finishConnect()) {
        return;
      }
      Handshake.Outcome outcome = handshake.step();
      if (outcome == Handshake.Outcome.PROVEN) {
        prove(handshake);
      } else if (outcome == Handshake.Outcome.WRONG_SECRET) {
        refuse(handshake, "it holds another secret, job id or attempt");
        if (handshake.initiator()) {
          throw new CollectiveException(
              "rank "
                  + scope.rank()
                  + " refused rank "
                  + handshake.peer()
                  + " at "
                  + addresses.get(handshake.peer())
                  + ": it holds another secret, job id or attempt");
        }
      } else if (handshake.ageNanos() > UNPROVEN_NANOS) {
        refuse(handshake, "it did not finish the handshake in time");
      } else {
        SelectionKey key = channel.keyFor(selector);
        key.interestOps(handshake.interest());
      }
    } catch (IOException e) {
      refuse(handshake, e.toString());
    }
  }

  private void prove(Handshake handshake) throws IOException {
    pending.remove(handshake);
    SocketChannel channel = handshake.channel();
    if (scope.channels()[handshake.peer()] != null) {
      refused++;
      channel.close();
      return;
    }
    // The key must be gone before another selector may take the channel.
    channel.keyFor(selector).cancel();
    selector.selectNow();
    scope.channels()[handshake.peer()] = channel;
  }

  private void refuse(Handshake handshake, String reason) {
    refused++;
    pending.remove(handshake);
    boolean initiator = handshake.initiator();
    Backoff backoff = initiator ? peers[handshake.peer()] : strangers;
    if (backoff.refused(System.nanoTime())) {
      LOG.warn(
          "rank {} dropped a connection {}: {}; further ones are only counted",
          scope.rank(),
          initiator ? "to rank " + handshake.peer() : "from a stranger",
          reason);
    }
    Binding.closeQuietly(handshake.channel());
  }

  /** Closes all connections that are open. */
  static void closeAll(@Nullable SocketChannel[] channels) {
    for (SocketChannel channel : channels) {
      Binding.closeQuietly(channel);
    }
  }
}
