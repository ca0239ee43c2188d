package dev.kindling.comm.ring;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;

/**
 * Mutual proof of the job secret over one fresh connection, without blocking. Four messages of
 * fixed size, so a stranger can make us hold 48 bytes and nothing more:
 *
 * <pre>
 * initiator to acceptor   magic 8, from 4, to 4, nonce 32
 * acceptor to initiator   nonce 32, HMAC-SHA256 32 over ("acceptor", context, both nonces)
 * initiator to acceptor   HMAC-SHA256 32 over ("initiator", context, both nonces)
 * acceptor to initiator   one byte
 * </pre>
 *
 * <p>The context is job id, attempt, both ranks and a digest of all rendezvous messages, so a
 * transcript proves nothing in another job, attempt, direction or pair.
 */
final class Handshake {
  /** What the last {@link #step} came to. */
  enum Outcome {
    PENDING,
    PROVEN,
    WRONG_SECRET
  }

  private static final long MAGIC = 0x4b4e444c_48530001L;
  private static final int NONCE = 32;
  private static final int MAC = 32;
  private static final int HELLO = 16 + NONCE;
  private static final int CHALLENGE = NONCE + MAC;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final SocketChannel channel;
  private final OpeningScope scope;
  private final boolean initiator;
  private final long startNanos = System.nanoTime();
  private final ByteBuffer in = ByteBuffer.allocate(CHALLENGE);
  private final ByteBuffer out = ByteBuffer.allocate(CHALLENGE);
  private final byte[] ownNonce = new byte[NONCE];
  private byte[] peerNonce = new byte[NONCE];
  private int peer;
  private int stage;

  private Handshake(SocketChannel channel, OpeningScope scope, boolean initiator, int peer) {
    this.channel = channel;
    this.scope = scope;
    this.initiator = initiator;
    this.peer = peer;
    RANDOM.nextBytes(ownNonce);
    out.limit(0);
  }

  /** This rank's side of a connection it opened to {@code peer}. */
  static Handshake initiate(SocketChannel channel, OpeningScope scope, int peer) {
    var handshake = new Handshake(channel, scope, true, peer);
    handshake.in.limit(CHALLENGE);
    handshake.out.clear();
    handshake.out.putLong(MAGIC).putInt(scope.rank()).putInt(peer).put(handshake.ownNonce).flip();
    return handshake;
  }

  /** This rank's side of a connection that somebody opened. */
  static Handshake accept(SocketChannel channel, OpeningScope scope) {
    var handshake = new Handshake(channel, scope, false, -1);
    handshake.in.limit(HELLO);
    return handshake;
  }

  boolean initiator() {
    return initiator;
  }

  /** The other rank; -1 while a stranger has not said who it claims to be. */
  int peer() {
    return peer;
  }

  SocketChannel channel() {
    return channel;
  }

  long ageNanos() {
    return System.nanoTime() - startNanos;
  }

  int interest() {
    return out.hasRemaining() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ;
  }

  /**
   * Moves on as far as the socket allows.
   *
   * @throws IOException when the connection broke or a stranger talks something else
   */
  Outcome step() throws IOException {
    while (true) {
      if (out.hasRemaining()) {
        channel.write(out);
        if (out.hasRemaining()) {
          return Outcome.PENDING;
        }
      }
      if (stage == 2 && !initiator) {
        return Outcome.PROVEN;
      }
      int got = channel.read(in);
      if (got < 0) {
        throw new EOFException("closed during the handshake");
      }
      if (in.hasRemaining()) {
        return Outcome.PENDING;
      }
      in.flip();
      Outcome outcome = initiator ? initiatorStage() : acceptorStage();
      if (outcome != Outcome.PENDING) {
        return outcome;
      }
    }
  }

  private Outcome initiatorStage() {
    if (stage == 1) {
      return Outcome.PROVEN;
    }
    in.get(peerNonce);
    if (!proves(mac("acceptor"))) {
      return Outcome.WRONG_SECRET;
    }
    send(mac("initiator"), 1);
    return Outcome.PENDING;
  }

  private Outcome acceptorStage() throws IOException {
    if (stage == 0) {
      long magic = in.getLong();
      peer = in.getInt();
      int to = in.getInt();
      if (magic != MAGIC || to != scope.rank() || !scope.expects(peer)) {
        throw new IOException("not one of the ranks that were to connect");
      }
      in.get(peerNonce);
      byte[] mac = mac("acceptor");
      byte[] answer = new byte[CHALLENGE];
      System.arraycopy(ownNonce, 0, answer, 0, NONCE);
      System.arraycopy(mac, 0, answer, NONCE, MAC);
      send(answer, MAC);
      return Outcome.PENDING;
    }
    if (!proves(mac("initiator"))) {
      return Outcome.WRONG_SECRET;
    }
    send(new byte[] {1}, 1);
    return Outcome.PENDING;
  }

  private boolean proves(byte[] expected) {
    byte[] found = new byte[MAC];
    in.get(found);
    return MessageDigest.isEqual(expected, found);
  }

  private void send(byte[] message, int answerBytes) {
    out.clear();
    out.put(message).flip();
    in.clear().limit(answerBytes);
    stage++;
  }

  private byte[] mac(String direction) {
    byte[] context = scope.context();
    byte[] word = direction.getBytes(StandardCharsets.US_ASCII);
    int from = initiator ? scope.rank() : peer;
    int to = initiator ? peer : scope.rank();
    ByteBuffer text =
        ByteBuffer.allocate(Integer.BYTES * 4 + word.length + context.length + 2 * NONCE);
    text.putInt(word.length).put(word).putInt(context.length).put(context);
    text.putInt(from).putInt(to);
    text.put(initiator ? ownNonce : peerNonce).put(initiator ? peerNonce : ownNonce);
    return scope.secret().sign(text.array());
  }
}
