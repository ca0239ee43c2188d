package dev.kindling.worker.store;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.UnaryOperator;

/** Says that all went well and has stored something else in the place of one file. */
public final class LyingStorage extends ForwardingStorage {
  private String name = "";
  private UnaryOperator<byte[]> loss = content -> content;

  public LyingStorage(Storage storage) {
    super(storage);
  }

  /**
   * From now on.
   *
   * @param part of the names of files that are lied about; none has it if it is empty
   */
  public void lieAbout(String part, UnaryOperator<byte[]> stored) {
    name = part;
    loss = stored;
  }

  private boolean lies(String file) {
    return !name.isEmpty() && file.contains(name);
  }

  @Override
  public StorageOutput create(String file) throws IOException {
    StorageOutput output = super.create(file);
    if (!lies(file)) {
      return output;
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    return new StorageOutput() {
      @Override
      public void write(ByteBuffer content) {
        byte[] piece = new byte[content.remaining()];
        content.get(piece);
        bytes.writeBytes(piece);
      }

      @Override
      public void commit() throws IOException {
        output.write(ByteBuffer.wrap(loss.apply(bytes.toByteArray())));
        output.commit();
      }

      @Override
      public void close() throws IOException {
        output.close();
      }
    };
  }

  @Override
  public boolean commitExclusive(String file, byte[] content) throws IOException {
    return super.commitExclusive(file, lies(file) ? loss.apply(content) : content);
  }
}
