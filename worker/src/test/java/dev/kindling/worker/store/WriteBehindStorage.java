package dev.kindling.worker.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A mutant: parts stay in memory, where they can be read back, until the commit that names them is
 * there.
 */
public final class WriteBehindStorage extends ForwardingStorage {
  private final Map<String, byte[]> held = new LinkedHashMap<>();

  public WriteBehindStorage(Storage storage) {
    super(storage);
  }

  @Override
  public synchronized StorageOutput create(String name) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    return new StorageOutput() {
      @Override
      public void write(ByteBuffer content) {
        byte[] piece = new byte[content.remaining()];
        content.get(piece);
        bytes.writeBytes(piece);
      }

      @Override
      public void commit() {
        synchronized (WriteBehindStorage.this) {
          held.put(name, bytes.toByteArray());
        }
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public synchronized boolean commitExclusive(String name, byte[] content) throws IOException {
    boolean committed = super.commitExclusive(name, content);
    if (name.startsWith("commits/")) {
      for (Map.Entry<String, byte[]> part : held.entrySet()) {
        try (StorageOutput output = storage.create(part.getKey())) {
          output.write(ByteBuffer.wrap(part.getValue()));
          output.commit();
        }
      }
      held.clear();
    }
    return committed;
  }

  @Override
  public synchronized boolean delete(String name) throws IOException {
    return held.remove(name) != null || super.delete(name);
  }

  @Override
  public synchronized StorageInput open(String name) throws IOException {
    byte[] content = held.get(name);
    return content == null ? super.open(name) : new HeldInput(content);
  }
}
