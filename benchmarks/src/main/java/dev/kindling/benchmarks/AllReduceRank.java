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
  /** One call of one engine on its own buffer. */
  private interface Engine {
    void allReduce();
  }

  private static final int LARGE = 64 << 20;
  private static final int SMALL = 4 << 10;

  private AllReduceRank() {}

  /** Rank 0 prints one line {@code TIMES engine.size nanos,nanos,...} per engine and size. */
  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    int rank = Integer.parseInt(arguments[1]);
    int ranks = Integer.parseInt(arguments[2]);
    try (Communicator ring = open(folder, "ring", rank, ranks, ReductionOrder.RING);
        Communicator tree = open(folder, "tree", rank, ranks, ReductionOrder.TREE);
        PointerScope scope = new PointerScope()) {
      var store = new FileStore(folder.resolve("gloo").toString(), ranks);
      var options = ProcessGroupGloo.Options.create();
      options.devices().push_back(ProcessGroupGloo.createDeviceForHostname("127.0.0.1"));
      var gloo = new ProcessGroupGloo(store, rank, ranks, options);
      measure("64MiB", engines(LARGE, ring, tree, gloo), 9, 3, rank);
      measure("4KiB", engines(SMALL, ring, tree, gloo), 15, 300, rank);
      // All ranks finish before one takes the store away.
      ring.allReduce(Span.allocate(4), DType.F32, Reduction.SUM);
      scope.detach(gloo);
    }
    System.out.flush();
    // Gloo's threads must not outlive their process group in a half-destroyed library.
    Runtime.getRuntime().halt(0);
  }

  private static Communicator open(
      Path folder, String name, int rank, int ranks, ReductionOrder order) throws Exception {
    Path own = folder.resolve(name);
    Files.createDirectories(own);
    var rendezvous = new FileRendezvous(own, rank, ranks, Duration.ofSeconds(60));
    // The secret of a benchmark on one machine guards nothing; it makes the handshake real.
    byte[] secret = new byte[32];
    RingOptions options = RingOptions.of(JobSecret.of(secret), name, 0, "127.0.0.1");
    Tuning base = Tuning.defaults();
    return RingCommunicator.open(
        options
            .withOrder(order)
            .withTuning(
                new Tuning(
                    Integer.getInteger("kindling.direct", base.directBytes()),
                    Integer.getInteger("kindling.window", base.windowBytes()),
                    Integer.getInteger("kindling.step", base.stepBytes()),
                    Integer.getInteger("kindling.socket", base.socketBytes()),
                    Integer.getInteger("kindling.shared", base.sharedBytes()),
                    Duration.ofNanos(Long.getLong("kindling.spin", base.spin().toNanos())))),
        rendezvous);
  }

  private static Map<String, Engine> engines(
      int bytes, Communicator ring, Communicator tree, ProcessGroupGloo gloo) {
    Span ringData = ones(bytes);
    Span treeData = ones(bytes);
    Tensor tensor = torch.ones(new long[] {bytes / 4});
    var engines = new LinkedHashMap<String, Engine>();
    engines.put("ring", () -> ring.allReduce(ringData, DType.F32, Reduction.SUM));
    engines.put("gloo", () -> gloo(gloo, tensor));
    engines.put("tree", () -> tree.allReduce(treeData, DType.F32, Reduction.SUM));
    for (Engine engine : engines.values()) {
      engine.allReduce();
    }
    float expected = ring.worldSize();
    FloatPointer found = new FloatPointer(tensor.data_ptr());
    for (int i = 0; i < bytes / 4; i++) {
      if (ringData.getFloat(i) != expected
          || treeData.getFloat(i) != expected
          || found.get(i) != expected) {
        throw new IllegalStateException("wrong sum at element " + i);
      }
    }
    return engines;
  }

  private static Span ones(int bytes) {
    Span span = Span.allocate(bytes);
    for (int i = 0; i < bytes / 4; i++) {
      span.putFloat(i, 1f);
    }
    return span;
  }

  @SuppressWarnings("try") // the scope frees what the call makes; nobody names it
  private static void gloo(ProcessGroupGloo group, Tensor tensor) {
    try (var scope = new PointerScope();
        var list = new TensorVector(tensor)) {
      group.allreduce(list)._wait();
    }
  }

  private static void measure(
      String size, Map<String, Engine> engines, int blocks, int calls, int rank) {
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
