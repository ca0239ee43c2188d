package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.ThreadRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Strangers who know everything but the secret, ten thousand times, before the right rank comes.
 */
@Tag("long")
class HandshakeFuzzTest {
  private static final long SEED = Long.getLong("seed", 20261127L);
  private static final int TRIES = 10_000;
  private static final Duration WAIT = Duration.ofMinutes(4);
  private static final long MAGIC = 0x4b4e444c_48530001L;
  private static final int PROOF = 32;

  private final Random random = new Random(SEED);
  private int accepted;
  private int answered;

  /** The last proof that the listener gave, for those who give it back. */
  private byte[] seen = new byte[PROOF];

  private static RingOptions options() {
    JobSecret secret = JobSecret.of("a secret of some length".getBytes(StandardCharsets.UTF_8));
    return RingOptions.of(secret, "job", 1, "127.0.0.1").withTimeouts(WAIT, WAIT);
  }

  private static float sum(Rendezvous met) {
    try (Communicator communicator = RingCommunicator.open(options(), met);
        Span data = Span.allocate(400)) {
      data.putFloat(99, 1f);
      communicator.allReduce(data, DType.F32, Reduction.SUM);
      return data.getFloat(99);
    }
  }

  @Test
  void noneOfTenThousandIsLetInAndTheJobGoesOn() throws Exception {
    List<Rendezvous> meeting = ThreadRendezvous.create(2, WAIT);
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      Future<Float> zero = threads.submit(() -> sum(meeting.get(0)));
      Future<Float> one = threads.submit(() -> sum(attacked(meeting.get(1))));
      assertThat(one.get(WAIT.toSeconds(), TimeUnit.SECONDS)).isEqualTo(2f);
      assertThat(zero.get(WAIT.toSeconds(), TimeUnit.SECONDS)).isEqualTo(2f);
    } finally {
      threads.shutdownNow();
    }
    assertThat(answered).as("came as far as a proof").isGreaterThan(TRIES / 4);
  }

  /** Rank 1 connects when the strangers are through. */
  private Rendezvous attacked(Rendezvous own) {
    return new Rendezvous() {
      @Override
      public int rank() {
        return own.rank();
      }

      @Override
      public int worldSize() {
        return own.worldSize();
      }

      @Override
      public List<String> allGather(String message) {
        List<String> all = own.allGather(message);
        for (int i = 0; i < TRIES; i++) {
          stranger(Integer.parseInt(all.get(0).split(" ", -1)[2]));
          assertThat(accepted).as("let in, seed " + SEED).isZero();
        }
        return all;
      }
    };
  }

  private void stranger(int port) {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      socket.setSoLinger(true, 0);
      socket.setSoTimeout((int) WAIT.toMillis());
      OutputStream out = socket.getOutputStream();
      DataInputStream in = new DataInputStream(socket.getInputStream());
      out.write(hello());
      byte[] challenge = new byte[2 * PROOF];
      in.readFully(challenge);
      answered++;
      out.write(proof(Arrays.copyOfRange(challenge, PROOF, 2 * PROOF)));
      accepted += in.read() == 1 ? 1 : 0;
    } catch (IOException refused) {
      // As it should be.
    }
  }

  /** Noise, the right first words, or these with one bit wrong. */
  private byte[] hello() {
    byte[] nonce = new byte[PROOF];
    random.nextBytes(nonce);
    byte[] right = ByteBuffer.allocate(48).putLong(MAGIC).putInt(1).putInt(0).put(nonce).array();
    switch (random.nextInt(4)) {
      case 0 -> random.nextBytes(right);
      case 1 -> right[random.nextInt(16)] ^= (byte) (1 << random.nextInt(8));
      default -> right[16] ^= 1;
    }
    return right;
  }

  /** Noise, the listener's own proof, one of an earlier connection, or one with a bit wrong. */
  private byte[] proof(byte[] listeners) {
    byte[] proof = listeners.clone();
    switch (random.nextInt(4)) {
      case 0 -> random.nextBytes(proof);
      case 1 -> proof = seen;
      case 2 -> proof[random.nextInt(PROOF)] ^= (byte) (1 << random.nextInt(8));
      default -> seen = listeners;
    }
    return proof;
  }
}
