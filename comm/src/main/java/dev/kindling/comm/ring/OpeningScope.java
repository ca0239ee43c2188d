package dev.kindling.comm.ring;

import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** What the handshakes of one opening share: who we are, what is signed, who is still missing. */
final class OpeningScope {
  private final int rank;
  private final JobSecret secret;
  private final byte[] context;
  private final @Nullable SocketChannel[] channels;

  OpeningScope(int rank, int worldSize, JobSecret secret, byte[] context) {
    this.rank = rank;
    this.secret = secret;
    this.context = context;
    channels = new SocketChannel[worldSize];
  }

  int rank() {
    return rank;
  }

  JobSecret secret() {
    return secret;
  }

  byte[] context() {
    return context;
  }

  @Nullable SocketChannel[] channels() {
    return channels;
  }

  /** True if {@code peer} is a higher rank that is not connected yet: those connect to us. */
  boolean expects(int peer) {
    return peer > rank && peer < channels.length && channels[peer] == null;
  }
}
