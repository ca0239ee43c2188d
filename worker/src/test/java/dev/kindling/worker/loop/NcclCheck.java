package dev.kindling.worker.loop;

import dev.kindling.comm.nccl.NcclCommunicator;
import dev.kindling.comm.nccl.NcclOptions;
import dev.kindling.comm.rendezvous.CommunicatorRendezvous;
import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.comm.ring.JobSecret;
import dev.kindling.comm.ring.PeerWatch;
import dev.kindling.comm.ring.RingCommunicator;
import dev.kindling.comm.ring.RingOptions;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Flight;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllReduce;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Collectives on as many GPUs as ranks, one process each. Modes: {@code values} compares every
 * collective with the CPU, in fp32 and bf16, captured and not; {@code kill} ends one process in mid
 * collective; {@code hang} lets one rank stay away; {@code late} lets one come late to every run
 * and looks who says that it waited; {@code speed} times all-reduces inside a captured program;
 * {@code flight} averages beside programs, between the devices and through the hosts. Prints RESULT
 * lines; exit code 0 if all held.
 *
 * <p>Usage: {@code NcclCheck MODE [RANKS]}.
 */
public final class NcclCheck {
  private static final int RUNS = 4;
  private static final Duration MEETING = Duration.ofSeconds(60);
  private static final Duration RUN = Duration.ofMinutes(5);
  private static final Duration HANG = Duration.ofSeconds(5);
  private static final Duration LATE = Duration.ofMillis(40);
  private static final String AT_WORK = "at-work";
  private static final String KILLED = "killed-at";

  private final Path folder;
  private final int ranks;
  private final Rendezvous rendezvous;

  private NcclCheck(Path folder, int rank, int ranks) {
    this.folder = folder;
    this.ranks = ranks;
    this.rendezvous = new FileRendezvous(folder, rank, ranks, MEETING);
  }

  public static void main(String[] args) throws Exception {
    if (args.length == 4) {
      NcclCheck check =
          new NcclCheck(Path.of(args[1]), Integer.parseInt(args[2]), Integer.parseInt(args[3]));
      System.exit(check.rank(args[0]) ? 0 : 1);
    }
    int ranks = args.length > 1 ? Integer.parseInt(args[1]) : 2;
    System.exit(start(args.length > 0 ? args[0] : "values", ranks) ? 0 : 1);
  }

  /** Runs one process per rank; whether all that were to survive said that everything held. */
  static boolean start(String mode, int ranks) throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("nccl-check");
    List<Process> processes = new ArrayList<>();
    for (int rank = 0; rank < ranks; rank++) {
      List<String> command =
          List.of(
              Path.of(System.getProperty("java.home"), "bin", "java").toString(),
              "--add-modules=jdk.incubator.vector",
              "-Xmx2g",
              "-cp",
              System.getProperty("java.class.path"),
              NcclCheck.class.getName(),
              mode,
              folder.toString(),
              Integer.toString(rank),
              Integer.toString(ranks));
      processes.add(new ProcessBuilder(command).inheritIO().start());
    }
    if (mode.equals("kill")) {
      killOneAtWork(folder, processes.get(1));
    }
    boolean held = true;
    for (int rank = 0; rank < ranks; rank++) {
      boolean dies = mode.equals("kill") && rank == 1;
      held &= processes.get(rank).waitFor() == 0 || dies;
    }
    return held;
  }

  private static void killOneAtWork(Path folder, Process process)
      throws IOException, InterruptedException {
    while (process.isAlive() && !Files.exists(folder.resolve(AT_WORK))) {
      Thread.sleep(20);
    }
    Thread.sleep(2000);
    Files.writeString(folder.resolve(KILLED), Long.toString(System.currentTimeMillis()));
    process.destroyForcibly();
  }

  private boolean rank(String mode) throws Exception {
    return switch (mode) {
      case "values" -> values();
      case "kill" -> kill();
      case "hang" -> hang();
      case "late" -> late();
      case "speed" -> speed();
      case "flight" -> flight();
      default ->
          throw new IllegalArgumentException("mode: values, kill, hang, late, speed or flight");
    };
  }

  private Backend backend(Precision precision, boolean captured) {
    return Backend.cuda(new CudaOptions(rendezvous.rank(), precision, captured, false));
  }

  private RingOptions options() {
    return RingOptions.of(
        JobSecret.of("only for this check of ours".getBytes(StandardCharsets.UTF_8)),
        folder.toString(),
        1,
        "127.0.0.1");
  }

  private NcclCommunicator connect(Backend backend, Duration run) {
    RingOptions options = options();
    RingCommunicator ring = RingCommunicator.open(options, rendezvous);
    PeerWatch peers = PeerWatch.open(options, new CommunicatorRendezvous(ring));
    backend.makeCurrent();
    long start = System.nanoTime();
    NcclCommunicator data =
        NcclCommunicator.open(
            NcclOptions.of(Axis.DATA).withTimeouts(MEETING, run, Duration.ofSeconds(10)),
            ring,
            peers);
    result("connect", (System.nanoTime() - start) / 1e9, "s");
    return data;
  }

  /** In one write: lines of several ranks share a stream. */
  private static void say(String format, Object... values) {
    System.out.println(String.format(Locale.ROOT, format, values));
  }

  private void result(String name, double value, String unit) {
    if (rendezvous.rank() == 0) {
      say("RESULT nccl_%s %.3f %s", name, value, unit);
    }
  }

  private boolean values() throws Exception {
    int wrong = 0;
    for (Precision precision : Precision.values()) {
      for (boolean captured : new boolean[] {false, true}) {
        try (Backend backend = backend(precision, captured);
            NcclCommunicator data = connect(backend, RUN)) {
          for (Map.Entry<String, Graph> each : NcclCases.of(ranks).entrySet()) {
            String name = precision + (captured ? " captured " : " eager ") + each.getKey();
            List<Map<String, float[]>> expected =
                NcclCases.expected(each.getValue(), ranks, RUNS).get(data.rank());
            List<Map<String, float[]>> found = NcclCases.run(backend, data, each.getValue(), RUNS);
            wrong += compare(name, expected, found);
          }
        }
      }
    }
    System.out.println("rank " + rendezvous.rank() + ": " + wrong + " wrong outputs");
    result("values_wrong", wrong, "count");
    return wrong == 0;
  }

  private int compare(
      String name, List<Map<String, float[]>> expected, List<Map<String, float[]>> found) {
    int wrong = 0;
    for (int run = 0; run < RUNS; run++) {
      for (Map.Entry<String, float[]> output : expected.get(run).entrySet()) {
        float[] other = found.get(run).get(output.getKey());
        int at = Arrays.mismatch(output.getValue(), other);
        if (at >= 0) {
          wrong++;
          System.out.printf(
              Locale.ROOT,
              "WRONG rank %d %s, run %d, %s[%d]: expected %s, found %s%n",
              rendezvous.rank(),
              name,
              run,
              output.getKey(),
              at,
              at < output.getValue().length ? output.getValue()[at] : "nothing",
              at < other.length ? other[at] : "nothing");
        }
      }
    }
    return wrong;
  }

  /** All-reduces of so many floats, each of what the one before left. */
  private static Graph sums(int count, int floats) {
    GraphBuilder b = new GraphBuilder();
    Value x = b.variable(new Variable("g", ValueType.f32(floats), Role.GRADIENT));
    for (int i = 0; i < count; i++) {
      x = b.add(new AllReduce(Axis.DATA), x).get(0);
    }
    return b.build();
  }

  private boolean kill() throws Exception {
    Backend backend = backend(Precision.BF16, true);
    NcclCommunicator data = connect(backend, RUN);
    Graph graph = sums(8, 32 << 20);
    Memory memory = backend.allocate(graph.variables());
    Program program = backend.compile(graph, memory, Map.of(Axis.DATA, data));
    long runs = 0;
    try {
      while (true) {
        program.run();
        if (++runs == 5 && data.rank() == 1) {
          Files.writeString(folder.resolve(AT_WORK), "");
        }
      }
    } catch (CollectiveException expected) {
      long killed = Long.parseLong(Files.readString(folder.resolve(KILLED)));
      double notice = (System.currentTimeMillis() - killed) / 1e3;
      System.out.println("rank " + data.rank() + ": " + expected.getMessage());
      result("kill_noticed", notice, "s");
      return closed(List.of(program, memory, data, backend)) && notice <= 10;
    }
  }

  private boolean hang() throws Exception {
    Backend backend = backend(Precision.BF16, true);
    NcclCommunicator data = connect(backend, HANG);
    Graph graph = sums(2, 1 << 20);
    Memory memory = backend.allocate(graph.variables());
    Program program = backend.compile(graph, memory, Map.of(Axis.DATA, data));
    List<AutoCloseable> all = List.of(program, memory, data, backend);
    for (int run = 0; run < 5; run++) {
      program.run();
    }
    if (data.rank() == 1) {
      Thread.sleep(HANG.toMillis() * 4);
      return closed(all);
    }
    long start = System.nanoTime();
    try {
      program.run();
      System.out.println("rank " + data.rank() + ": a run without rank 1 ended");
      return false;
    } catch (CollectiveException expected) {
      System.out.println("rank " + data.rank() + ": " + expected.getMessage());
      result("hang_noticed", (System.nanoTime() - start) / 1e9, "s");
      return closed(all) && expected.getMessage().contains("not done");
    }
  }

  /** Closes in this order; whether nothing went wrong. */
  private boolean closed(List<AutoCloseable> all) {
    long start = System.nanoTime();
    boolean held = true;
    for (AutoCloseable each : all) {
      try {
        each.close();
      } catch (Exception failure) {
        held = false;
        System.out.println("rank " + rendezvous.rank() + ": closing: " + failure);
      }
    }
    result("closed", (System.nanoTime() - start) / 1e9, "s");
    return held;
  }

  /** Rank 1 begins each run late: the others stand still that long, captured or not, and it not. */
  private boolean late() throws Exception {
    boolean held = true;
    for (boolean captured : new boolean[] {false, true}) {
      try (Backend backend = backend(Precision.BF16, captured);
          NcclCommunicator data = connect(backend, RUN)) {
        Graph graph = sums(2, 1 << 10);
        try (Memory memory = backend.allocate(graph.variables());
            Program program = backend.compile(graph, memory, Map.of(Axis.DATA, data))) {
          // The first run connects, the second captures.
          for (int run = 0; run < 3; run++) {
            program.run();
          }
          for (int run = 0; run < RUNS; run++) {
            held &= waited(program, data, data.rank() == 1);
          }
        }
      }
    }
    return held;
  }

  private boolean waited(Program program, NcclCommunicator data, boolean late)
      throws InterruptedException {
    if (late) {
      Thread.sleep(LATE.toMillis());
    }
    long before = data.waitNanos();
    long start = System.nanoTime();
    program.run();
    double took = (System.nanoTime() - start) / 1e6;
    double exposed = (data.waitNanos() - before) / 1e6;
    say("rank %d: exposed %.3f of %.3f ms", data.rank(), exposed, took);
    result("exposed_by_a_late_rank", exposed, "ms");
    double half = LATE.toMillis() / 2.0;
    return exposed > 0 && exposed <= took + 1 && (late ? exposed < half : exposed > half);
  }

  private boolean speed() {
    try (Backend backend = backend(Precision.BF16, true);
        NcclCommunicator data = connect(backend, RUN)) {
      for (int floats : new int[] {1 << 10, 1 << 19, 1 << 23, 1 << 26}) {
        int count = 16;
        Graph graph = sums(count, floats);
        try (Memory memory = backend.allocate(graph.variables());
            Program program = backend.compile(graph, memory, Map.of(Axis.DATA, data))) {
          double best = Double.MAX_VALUE;
          for (int run = 0; run < 30; run++) {
            long start = System.nanoTime();
            program.run();
            best = Math.min(best, (System.nanoTime() - start) / 1e3 / count);
          }
          String name = "all_reduce_" + 4L * floats + "_bytes";
          result(name, best, "us");
          double bus = 2.0 * (ranks - 1) / ranks * 4 * floats / best / 1e3;
          result(name + "_bus", bus, "GB/s");
        }
      }
    }
    return true;
  }

  /** Averages between the devices and through the hosts at the same time, rounded once. */
  private boolean flight() {
    List<Variable> payload = List.of(FlightContent.PAYLOAD);
    boolean held = true;
    try (Backend backend = backend(Precision.BF16, true)) {
      NcclCommunicator data = connect(backend, RUN);
      RingCommunicator hosts = RingCommunicator.open(options(), new CommunicatorRendezvous(data));
      try (Memory among = backend.allocate(payload);
          Memory through = backend.allocate(payload);
          Flight first = backend.flight(among, Role.PAYLOAD, data);
          Flight second = backend.flight(through, Role.PAYLOAD, hosts)) {
        for (int round = 0; round < RUNS; round++) {
          FlightContent.put(among, data, round);
          FlightContent.put(through, data, round + 1);
          first.begin();
          second.begin();
          first.await();
          second.await();
          held &= FlightContent.averaged(among, ranks, round);
          held &= FlightContent.averaged(through, ranks, round + 1);
        }
        result("flight_among_exposed", first.exposedNanos() / 1e6, "ms");
        result("flight_through_exposed", second.exposedNanos() / 1e6, "ms");
        hosts.close();
        data.close();
      }
    }
    return held;
  }
}
