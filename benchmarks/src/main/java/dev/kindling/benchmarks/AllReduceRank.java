package dev.kindling.benchmarks;

import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.ReductionOrder;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.comm.ring.Tuning;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.FileStore;
import org.bytedeco.pytorch.ProcessGroupGloo;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/** One rank of {@link AllReduceBench}: folder, rank, number of ranks. */
final class AllReduceRank {
  /** One engine on its own buffer, in place. */
  private record Engine(FloatBuffer data, Runnable call) {
    void allReduce() {
      call.run();
    }
  }

  private static final int LARGE = 64 << 20;
  private static final int SMALL = 4 << 10;

  private AllReduceRank() {}

  /** Rank 0 prints one line {@code TIMES engine.size nanos,nanos,...} per engine and size. */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    int rank = Integer.parseInt(arguments[1]);
    int ranks = Integer.parseInt(arguments[2]);
    Tuning tuning = tuning(Integer.getInteger("kindling.shared", Tuning.defaults().sharedBytes()));
    try (Communicator ring = open(folder, "ring", rank, ranks, ReductionOrder.RING, tuning);
        Communicator tree = open(folder, "tree", rank, ranks, ReductionOrder.TREE, tuning);
        Communicator sockets =
            open(folder, "sockets", rank, ranks, ReductionOrder.RING, tuning(0));
        PointerScope scope = new PointerScope()) {
      var store = new FileStore(folder.resolve("gloo").toString(), ranks);
      var options = ProcessGroupGloo.Options.create();
      options.devices().push_back(ProcessGroupGloo.createDeviceForHostname("127.0.0.1"));
      var gloo = new ProcessGroupGloo(store, rank, ranks, options);
      Map<String, Communicator> ours = new LinkedHashMap<>();
      ours.put("ring", ring);
      ours.put("tree", tree);
      ours.put("sockets", sockets);
      measure("64MiB", engines(LARGE, ours, gloo), 9, 3, rank, ranks);
      measure("4KiB", engines(SMALL, ours, gloo), 15, 300, rank, ranks);
      // All ranks finish before one takes the store away.
      ring.allReduce(Span.allocate(4), DType.F32, Reduction.SUM);
      scope.detach(gloo);
    }
    System.out.flush();
    // Gloo's threads must not outlive their process group in a half-destroyed library.
    Runtime.getRuntime().halt(0);
  }

  /** Our defaults, each of which a property may replace, with this size of the shared pipes. */
  private static Tuning tuning(int sharedBytes) {
    Tuning base = Tuning.defaults();
    return new Tuning(
        Integer.getInteger("kindling.direct", base.directBytes()),
        Integer.getInteger("kindling.window", base.windowBytes()),
        Integer.getInteger("kindling.step", base.stepBytes()),
        Integer.getInteger("kindling.socket", base.socketBytes()),
        sharedBytes,
        Duration.ofNanos(Long.getLong("kindling.spin", base.spin().toNanos())));
  }

  private static Communicator open(
      Path folder, String name, int rank, int ranks, ReductionOrder order, Tuning tuning)
      throws Exception {
    Path own = folder.resolve(name);
    Files.createDirectories(own);
    var rendezvous = new FileRendezvous(own, rank, ranks, Duration.ofSeconds(60));
    // The secret of a benchmark on one machine guards nothing; it makes the handshake real.
    byte[] secret = new byte[32];
    RingOptions options = RingOptions.of(JobSecret.of(secret), name, 0, "127.0.0.1");
    return RingCommunicator.open(options.withOrder(order).withTuning(tuning), rendezvous);
  }

  /** The peer last, since it is the only one that brings threads of its own. */
  private static Map<String, Engine> engines(
      int bytes, Map<String, Communicator> ours, ProcessGroupGloo gloo) {
    var engines = new LinkedHashMap<String, Engine>();
    ours.forEach(
        (name, communicator) -> {
          Span data = Span.allocate(bytes);
          engines.put(
              name,
              new Engine(
                  data.buffer().asFloatBuffer(),
                  () -> communicator.allReduce(data, DType.F32, Reduction.SUM)));
        });
    Tensor tensor = torch.zeros(new long[] {bytes / Float.BYTES});
    var elements = new FloatPointer(tensor.data_ptr()).capacity(bytes / Float.BYTES);
    engines.put("gloo", new Engine(elements.asBuffer(), () -> gloo(gloo, tensor)));
    return engines;
  }

  private static void check(Map<String, Engine> engines, int rank, int ranks) {
    engines.forEach(
        (name, engine) -> {
          AllReduceCheck.fill(rank, engine.data());
          engine.allReduce();
          new AllReduceCheck(ranks).require(name, engine.data());
        });
  }

  @SuppressWarnings("try") // the scope frees what the call makes; nobody names it
  private static void gloo(ProcessGroupGloo group, Tensor tensor) {
    try (var scope = new PointerScope();
        var list = new TensorVector(tensor)) {
      group.allreduce(list)._wait();
    }
  }

  private static void measure(
      String size, Map<String, Engine> engines, int blocks, int calls, int rank, int ranks) {
    check(engines, rank, ranks);
    var times = new LinkedHashMap<String, List<Long>>();
    int warmup = Math.max(1, blocks / 4);
    for (int block = -warmup; block < blocks; block++) {
      for (Map.Entry<String, Engine> entry : engines.entrySet()) {
        List<Long> list = times.computeIfAbsent(entry.getKey(), key -> new ArrayList<>());
        // The first call of a block also waits for peers that still finish the engine before.
        entry.getValue().allReduce();
        long start = System.nanoTime();
        for (int call = 0; call < calls; call++) {
          entry.getValue().allReduce();
        }
        if (block >= 0) {
          list.add((System.nanoTime() - start) / calls);
        }
      }
    }
    // Once more after hundreds of calls, for what only shows when pipes wrap around.
    check(engines, rank, ranks);
    if (rank == 0) {
      times.forEach(
          (engine, list) ->
              System.out.println(
                  "TIMES "
                      + engine
                      + '.'
                      + size
                      + ' '
                      + list.stream().map(String::valueOf).collect(Collectors.joining(","))));
    }
  }
}
