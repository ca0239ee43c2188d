package dev.kindling.driver.plugin;

import com.esotericsoftware.kryo.kryo5.Kryo;
import com.esotericsoftware.kryo.kryo5.KryoException;
import com.esotericsoftware.kryo.kryo5.io.Input;
import com.esotericsoftware.kryo.kryo5.io.Output;
import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.loop.StopRequest;

/**
 * Wire form of control messages: Kryo 5, registration required, fixed ids. Both ends run the same
 * jar; never a storage format. Not thread-safe.
 */
final class ControlCodec {
  private static final int BUFFER_BYTES = 8 * 1024;

  /** A report holds many events; it is cut before it reaches this. */
  static final int MAX_BYTES = 4 * EventCodec.MAX_BYTES;

  private final Kryo kryo = new Kryo();
  private final Output output = new Output(BUFFER_BYTES, MAX_BYTES);

  ControlCodec() {
    kryo.setRegistrationRequired(true);
    kryo.setReferences(false);
    int id = 60;
    kryo.register(byte[].class, id++);
    kryo.register(byte[][].class, id++);
    kryo.register(RankStarted.class, id++);
    kryo.register(RankReport.class, id++);
    kryo.register(RankEnded.class, id++);
    kryo.register(StopRequest.class, id++);
  }

  byte[] encode(RankMessage message) {
    return write(message);
  }

  byte[] encode(StopRequest reply) {
    return write(reply);
  }

  /**
   * @throws IllegalArgumentException if the bytes are not one message of a rank
   */
  RankMessage message(byte[] bytes) {
    if (read(bytes) instanceof RankMessage message) {
      return message;
    }
    throw new IllegalArgumentException("control message: expected a message of a rank");
  }

  /**
   * @throws IllegalArgumentException if the bytes are not one reply
   */
  StopRequest reply(byte[] bytes) {
    if (read(bytes) instanceof StopRequest reply) {
      return reply;
    }
    throw new IllegalArgumentException("control reply: expected a stop request");
  }

  private byte[] write(Object object) {
    output.reset();
    kryo.writeClassAndObject(output, object);
    return output.toBytes();
  }

  private Object read(byte[] bytes) {
    if (bytes.length > MAX_BYTES) {
      throw new IllegalArgumentException(
          "control message: expected at most " + MAX_BYTES + " bytes, found " + bytes.length);
    }
    try {
      return kryo.readClassAndObject(new Input(bytes));
    } catch (KryoException | IndexOutOfBoundsException | NegativeArraySizeException e) {
      throw new IllegalArgumentException(
          "control message: undecodable message of " + bytes.length + " bytes", e);
    }
  }
}
