package dev.kindling.comm.ring;

import dev.kindling.comm.rendezvous.Rendezvous;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * A network between a rank and those that connect to it, with one fault. Connections go through it
 * as long as it is open; what is right about them stays right, since it knows no byte of them.
 */
final class FaultProxy implements AutoCloseable {
  /** Another one than that of the ranks, for whom the network ends here. */
  private static final String ADDRESS = "127.0.0.2";

  /** Which way bytes go. */
  enum Way {
    /** From the rank that connected. */
    UP,
    /** To the rank that connected. */
    DOWN
  }

  /** What happens to bytes on their way. */
  interface Fault {
    /**
     * Passes on what has arrived.
     *
     * @param passed bytes of this way before these
     */
    void pass(Way way, long passed, byte[] bytes, int count, Line line)
        throws IOException, InterruptedException;

    /** Bytes that are taken from a connection at once. */
    default int chunk() {
      return 64 << 10;
    }
  }

  /** One connection through the proxy. */
  static final class Line {
    private final FaultProxy proxy;
    private final Socket near;
    private final Socket far;

    private Line(FaultProxy proxy, Socket near, Socket far) {
      this.proxy = proxy;
      this.near = near;
      this.far = far;
    }

    void write(Way way, byte[] bytes, int count) throws IOException {
      OutputStream out = (way == Way.UP ? far : near).getOutputStream();
      out.write(bytes, 0, count);
      out.flush();
    }

    /** Both ends hear at once that it is over, and lose what was on its way. */
    void reset() throws IOException {
      for (Socket end : List.of(near, far)) {
        end.setSoLinger(true, 0);
        end.close();
      }
    }

    /** The receiver of this way hears the end; the other way goes on. */
    void end(Way way) throws IOException {
      (way == Way.UP ? far : near).shutdownOutput();
    }

    /** Takes nothing more, says nothing, ends nothing, until the proxy is closed. */
    void stall() throws InterruptedException {
      proxy.closing.await();
    }
  }

  /** Bytes arrive {@code millis} after they were sent, and up to {@code jitter} more. */
  static Fault delay(int millis, int jitter, long seed) {
    Random random = new Random(seed);
    return (way, passed, bytes, count, line) -> {
      TimeUnit.MILLISECONDS.sleep(millis + random.nextInt(jitter + 1));
      line.write(way, bytes, count);
    };
  }

  /** At most so many bytes at once, and a pause after each. */
  static Fault trickle(int bytesAtOnce, int pauseMicros) {
    return new Fault() {
      @Override
      public void pass(Way way, long passed, byte[] bytes, int count, Line line)
          throws IOException, InterruptedException {
        TimeUnit.MICROSECONDS.sleep(pauseMicros);
        line.write(way, bytes, count);
      }

      @Override
      public int chunk() {
        return bytesAtOnce;
      }
    };
  }

  /** Flips one bit of byte {@code index} of a way. */
  static Fault flip(Way faulty, long index, int bit) {
    return (way, passed, bytes, count, line) -> {
      if (way == faulty && index >= passed && index < passed + count) {
        bytes[(int) (index - passed)] ^= (byte) (1 << bit);
      }
      line.write(way, bytes, count);
    };
  }

  /** What a fault does to its line once some bytes have passed. */
  interface Ending {
    void apply(Way way, Line line) throws IOException, InterruptedException;
  }

  /** Passes {@code index} bytes of a way, then ends it in some manner; the other way is right. */
  static Fault after(Way faulty, long index, Ending ending) {
    return (way, passed, bytes, count, line) -> {
      boolean now = way == faulty && passed + count > index;
      line.write(way, bytes, now ? (int) Math.max(0, index - passed) : count);
      if (now) {
        ending.apply(way, line);
      }
    };
  }

  private final ServerSocket listener;
  private final int target;
  private final Fault fault;
  private final List<Socket> sockets = new ArrayList<>();
  private final List<Thread> threads = new ArrayList<>();
  private final CountDownLatch closing = new CountDownLatch(1);

  private FaultProxy(int target, Fault fault) throws IOException {
    this.listener = new ServerSocket(0, 50, InetAddress.getByName(ADDRESS));
    this.target = target;
    this.fault = fault;
    start(this::accept);
  }

  /**
   * The rendezvous of a rank that the others will find behind a proxy. Proxies are added to a list
   * whose owner closes them.
   */
  static Rendezvous behind(Rendezvous own, Fault fault, List<FaultProxy> proxies) {
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
        String[] words = message.split(" ", -1);
        try {
          FaultProxy proxy = new FaultProxy(Integer.parseInt(words[2]), fault);
          proxies.add(proxy);
          words[1] = ADDRESS;
          words[2] = Integer.toString(proxy.listener.getLocalPort());
        } catch (IOException e) {
          throw new IllegalStateException(e);
        }
        return own.allGather(String.join(" ", words));
      }
    };
  }

  private synchronized void start(Runnable body) {
    Thread thread = new Thread(body, "fault-proxy");
    thread.setDaemon(true);
    threads.add(thread);
    thread.start();
  }

  private void accept() {
    try {
      while (true) {
        Socket near = listener.accept();
        Socket far = new Socket();
        far.bind(new InetSocketAddress(ADDRESS, 0));
        far.connect(new InetSocketAddress("127.0.0.1", target));
        synchronized (this) {
          sockets.addAll(List.of(near, far));
        }
        near.setTcpNoDelay(true);
        far.setTcpNoDelay(true);
        Line line = new Line(this, near, far);
        start(() -> pump(Way.UP, near, line));
        start(() -> pump(Way.DOWN, far, line));
      }
    } catch (IOException closed) {
      // The end of the proxy, or of the rank behind it.
    }
  }

  private void pump(Way way, Socket from, Line line) {
    try {
      InputStream in = from.getInputStream();
      byte[] bytes = new byte[fault.chunk()];
      long passed = 0;
      for (int count = in.read(bytes); count >= 0; count = in.read(bytes)) {
        fault.pass(way, passed, bytes, count, line);
        passed += count;
      }
      line.end(way);
    } catch (IOException | InterruptedException over) {
      // A rank or the fault ended the connection.
    }
  }

  @Override
  public void close() {
    closing.countDown();
    try {
      listener.close();
      synchronized (this) {
        for (Socket socket : sockets) {
          socket.close();
        }
      }
      for (Thread thread : List.copyOf(threads)) {
        thread.join();
      }
    } catch (IOException | InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
