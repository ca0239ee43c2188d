package dev.kindling.worker.event;

import com.esotericsoftware.kryo.kryo5.Kryo;
import com.esotericsoftware.kryo.kryo5.KryoException;
import com.esotericsoftware.kryo.kryo5.io.Input;
import com.esotericsoftware.kryo.kryo5.io.Output;

/**
 * Wire form of events: Kryo 5 with required registration and fixed ids, so that a foreign class can
 * neither be written nor read. Both ends run the same jar; it is never a storage format. Not
 * thread-safe: one codec per thread.
 */
public final class EventCodec {
  private static final int BUFFER_BYTES = 4 * 1024;

  /** A longer message is refused on both sides; the longest real one is a sample of text. */
  public static final int MAX_BYTES = 1024 * 1024;

  private final Kryo kryo = new Kryo();
  private final Output output = new Output(BUFFER_BYTES, MAX_BYTES);

  public EventCodec() {
    kryo.setRegistrationRequired(true);
    kryo.setReferences(false);
    int id = 20;
    kryo.register(Phase.class, id++);
    kryo.register(LogLine.Level.class, id++);
    kryo.register(PhaseEntered.class, id++);
    kryo.register(StepDone.class, id++);
    kryo.register(Validated.class, id++);
    kryo.register(CheckpointSaved.class, id++);
    kryo.register(Sample.class, id++);
    kryo.register(LogLine.class, id++);
    kryo.register(StepRecalled.class, id++);
    kryo.register(Heartbeat.class, id++);
    kryo.register(LoggedLines.class, id++);
    kryo.register(RoundDone.class, id++);
  }

  public byte[] encode(WorkerEvent event) {
    output.reset();
    kryo.writeClassAndObject(output, event);
    return output.toBytes();
  }

  /**
   * @throws IllegalArgumentException if the bytes are not one event
   */
  public WorkerEvent decode(byte[] bytes) {
    if (bytes.length > MAX_BYTES) {
      throw new IllegalArgumentException(
          "event: expected at most " + MAX_BYTES + " bytes, found " + bytes.length);
    }
    Object read;
    try {
      read = kryo.readClassAndObject(new Input(bytes));
    } catch (KryoException | IndexOutOfBoundsException | NegativeArraySizeException e) {
      throw new IllegalArgumentException(
          "event: undecodable message of " + bytes.length + " bytes", e);
    }
    if (read instanceof WorkerEvent event) {
      return event;
    }
    throw new IllegalArgumentException("event: expected a worker event, found " + read);
  }
}
