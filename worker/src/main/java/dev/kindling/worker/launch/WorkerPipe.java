package dev.kindling.worker.launch;

import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What parent and child say to each other. To the child, over its standard input: one {@link
 * Order}, then {@link #STOP} or the end of the stream, which means that the parent is gone. From
 * the child: frames of a type byte, a length and a payload. The secret travels here because
 * arguments and environment are visible to every local user.
 */
final class WorkerPipe {
  static final int STOP = 'S';
  static final char EVENT = 'E';
  static final char RESULT = 'R';
  static final char FAILURE = 'F';

  /**
   * Runs the command behind it with the pipe of the frames as descriptor 3 and standard output
   * joined with standard error: JVM options and native libraries (NCCL_DEBUG=INFO) print there, and
   * frames with text among them cannot be read. A crash of the JVM leaves its report to the owner
   * alone, and no core: both hold what the process held.
   */
  static final List<String> ASIDE =
      List.of("/bin/sh", "-c", "umask 077; ulimit -c 0; exec \"$@\" 3>&1 1>&2", "sh");

  private static final String FRAMES = "/dev/fd/3";
  private static final int FRAME_BYTES_MAX = 4 * 1024 * 1024;
  private static final int SECRET_BYTES = 32;

  private WorkerPipe() {}

  /** What a child process is to do. */
  record Order(WorkerAssignment assignment, int rank, int worldSize, String rendezvousFolder) {}

  /** One message of a child. */
  record Frame(char type, byte[] payload) {
    String text() {
      return new String(payload, StandardCharsets.UTF_8);
    }
  }

  static void writeOrder(DataOutputStream out, Order order) throws IOException {
    WorkerAssignment a = order.assignment();
    writeText(out, a.configYaml());
    writeText(out, a.runDir());
    writeText(out, a.dataDir());
    out.writeInt(a.attempt());
    out.writeLong(a.epoch());
    writeText(out, a.bindAddress());
    out.write(a.secret());
    out.writeInt(order.rank());
    out.writeInt(order.worldSize());
    writeText(out, order.rendezvousFolder());
    out.flush();
  }

  static Order readOrder(DataInputStream in) throws IOException {
    String config = readText(in);
    String runDir = readText(in);
    String dataDir = readText(in);
    int attempt = in.readInt();
    long epoch = in.readLong();
    String bind = readText(in);
    byte[] secret = in.readNBytes(SECRET_BYTES);
    WorkerAssignment assignment =
        new WorkerAssignment(config, runDir, dataDir, attempt, epoch, bind, secret);
    return new Order(assignment, in.readInt(), in.readInt(), readText(in));
  }

  /**
   * The child's end of the pipe of frames.
   *
   * @throws IOException if the system names no open descriptors under /dev/fd
   */
  static DataOutputStream frames() throws IOException {
    try {
      return new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FRAMES)));
    } catch (IOException missing) {
      throw new IOException(
          "a worker writes to " + FRAMES + ", its descriptor 3: " + missing, missing);
    }
  }

  static void writeFrame(DataOutputStream out, char type, byte[] payload) throws IOException {
    synchronized (out) {
      out.writeByte(type);
      out.writeInt(payload.length);
      out.write(payload);
      out.flush();
    }
  }

  /** The next frame, null at the end of the stream. */
  static @Nullable Frame readFrame(DataInputStream in) throws IOException {
    try {
      char type = (char) in.readUnsignedByte();
      int length = in.readInt();
      if (length < 0 || length > FRAME_BYTES_MAX) {
        throw new IOException("frame of a worker: expected at most 4 MiB, found " + length);
      }
      byte[] payload = new byte[length];
      in.readFully(payload);
      return new Frame(type, payload);
    } catch (EOFException end) {
      return null;
    }
  }

  static byte[] encode(WorkerResult result) {
    String text =
        result.rank() + " " + result.lastStep() + " " + result.stopped() + " " + result.commit();
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static WorkerResult decodeResult(String text) throws IOException {
    String[] words = text.split(" ", 4);
    if (words.length != 4) {
      throw new IOException("result of a worker: expected 4 words, found: " + text);
    }
    return new WorkerResult(
        Integer.parseInt(words[0]),
        Long.parseLong(words[1]),
        Boolean.parseBoolean(words[2]),
        words[3]);
  }

  private static void writeText(DataOutputStream out, String text) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static String readText(DataInputStream in) throws IOException {
    int length = in.readInt();
    if (length < 0 || length > FRAME_BYTES_MAX) {
      throw new IOException("order: expected a text of at most 4 MiB, found " + length + " bytes");
    }
    return new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }
}
