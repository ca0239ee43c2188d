package dev.kindling.benchmarks;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.DeviceRoofs;
import dev.kindling.kernels.backend.cuda.ProgramProfile;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.RandomNormal;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Galore;
import dev.kindling.optim.rule.Granularity;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.step.TrainStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * {@code bench gpu-update MODEL [--rank N] [--steps N] [--gradients bf16|fp32] [--profile N]}: the
 * update of all parameters alone, gradients given, by AdamW, APOLLO, APOLLO-Mini and GaLore (once
 * between refreshes, once with a refresh in every update), in one call on one card. AdamW is also
 * held against the rate of a copy, the others against AdamW.
 */
final class GpuUpdateBench implements Benchmark {
  private static final int WARM_UP = 5;
  private static final int BLOCKS = 5;
  private static final double BLOCK_MILLIS = 1000;

  @Override
  public void run(Results results, List<String> arguments) {
    if (arguments.isEmpty()) {
      throw new IllegalArgumentException("expected MODEL, found " + arguments);
    }
    GpuModel model = GpuModel.named(arguments.get(0));
    BenchOptions options =
        BenchOptions.of(
            arguments.subList(1, arguments.size()),
            Map.of("rank", "256", "steps", "20", "gradients", "bf16", "profile", "5"));
    List<Param> params = model.graphs(1, 128, 1e-4).finish().params();
    String name = "gpu-update." + model.name() + '.';
    DeviceRoofs roofs = DeviceRoofs.measure(0);
    results.add(name + "copy", roofs.bytesPerSecond() / 1e9, "GB/s");
    boolean narrow = options.text("gradients").equals("bf16");
    double adamW = 0;
    for (Map.Entry<String, Optimizer> rule : rules(options.count("rank")).entrySet()) {
      double millis =
          measure(results, name + rule.getKey() + '.', params, rule.getValue(), options);
      results.add(name + rule.getKey() + ".time", millis, "ms");
      if (adamW == 0) {
        adamW = millis;
        double rate = bytes(params, narrow) / (millis / 1e3);
        results.add(name + rule.getKey() + ".rate", rate / 1e9, "GB/s");
        results.add(name + rule.getKey() + ".roof", 100 * rate / roofs.bytesPerSecond(), "%");
      } else {
        results.add(name + rule.getKey() + ".ratio", millis / adamW, "x");
      }
    }
  }

  /** AdamW first. */
  private static Map<String, Optimizer> rules(int rank) {
    Optional<Double> auto = Optional.empty();
    Optional<AdamW> same = Optional.empty();
    Map<String, Optimizer> rules = new LinkedHashMap<>();
    rules.put("adamw", new AdamW(1e-4, 0.9, 0.95, 1e-8, 0.1, 0));
    rules.put(
        "apollo-r" + rank,
        new Apollo(
            1e-4,
            0.9,
            0.95,
            1e-8,
            0.1,
            0,
            rank,
            auto,
            200,
            false,
            1.01,
            Granularity.CHANNEL,
            0,
            same));
    rules.put(
        "apollo-mini",
        new ApolloMini(1e-4, 0.9, 0.95, 1e-8, 0.1, 0, auto, 200, false, 1.01, 0, same));
    rules.put(
        "galore-r" + rank, new Galore(1e-4, 0.9, 0.95, 1e-8, 0.1, 0, rank, 0.25, 200, 8, 0, same));
    rules.put(
        "galore-r" + rank + "-refresh",
        new Galore(1e-4, 0.9, 0.95, 1e-8, 0.1, 0, rank, 0.25, 1, 8, 0, same));
    return rules;
  }

  /** What AdamW reads and writes: master and moments twice, the gradient, the bf16 copy. */
  private static double bytes(List<Param> params, boolean narrow) {
    double bytes = 0;
    for (Param param : params) {
      boolean matrix = param.shape().rank() == 2;
      bytes += param.shape().elements() * (26.0 + (narrow && matrix ? 2 : 4));
    }
    return bytes;
  }

  private static Variable gradient(Param param, boolean narrow) {
    boolean fresh = narrow && param.shape().rank() == 2;
    Role role = fresh ? Role.FRESH_GRADIENT : Role.GRADIENT;
    return new Variable("grad/" + param.name(), param.type(), role);
  }

  private static Graph update(List<Param> params, Optimizer rule, boolean narrow) {
    GraphBuilder b = new GraphBuilder();
    params.forEach(b::param);
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    rule.declareSteps(b);
    for (Param param : params) {
      rule.update(b, param, b.variable(gradient(param, narrow)), scale);
    }
    return b.build();
  }

  /** Random gradients: a card computes zeros faster. */
  private static Graph fill(List<Param> params, boolean narrow) {
    GraphBuilder b = new GraphBuilder();
    long key = 1;
    for (Param param : params) {
      Value numbers = b.add(new RandomNormal(param.shape(), key++), b.step()).get(0);
      b.add(new Copy(), numbers, b.variable(gradient(param, narrow)));
    }
    return b.build();
  }

  /** Milliseconds of an update. */
  private static double measure(
      Results results, String name, List<Param> params, Optimizer rule, BenchOptions options) {
    boolean narrow = options.text("gradients").equals("bf16");
    Graph update = update(params, rule, narrow);
    Graph fill = fill(params, narrow);
    List<Graph> programs = List.of(update, fill);
    CudaOptions cuda = new CudaOptions(0, Precision.BF16, true, true);
    try (CudaBackend backend = new CudaBackend(cuda, line -> {});
        Memory memory = backend.allocate(TrainStep.variables(programs), programs);
        Program filling = backend.compile(fill, memory, Map.of());
        Program updating = backend.compile(update, memory, Map.of())) {
      for (int slot = 0; slot < memory.slots(); slot++) {
        memory.span("scale", slot).putFloat(0, 1e-3f);
        List<Span> blocks = new ArrayList<>();
        for (int block = 0; block < rule.rules().size(); block++) {
          blocks.add(memory.span(GraphBuilder.stepName(block), slot));
        }
        Optimizer.fillSteps(rule.rules(), blocks, 7, 1.0);
      }
      filling.run();
      results.add(name + "state", memory.bytes(Role.STATE) / 1048576.0, "MiB");
      double millis = median(updating, memory, options.count("steps"));
      profile(results, updating, options.count("profile"));
      return millis;
    }
  }

  /** Fewer than wished where a few take seconds. */
  private static double median(Program program, Memory memory, int wished) {
    millis(program, memory, 1);
    int steps = (int) Math.max(1, Math.min(wished, BLOCK_MILLIS / millis(program, memory, 1)));
    millis(program, memory, Math.min(steps, WARM_UP));
    double[] blocks = new double[BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
      blocks[block] = millis(program, memory, steps);
    }
    Arrays.sort(blocks);
    return blocks[BLOCKS / 2];
  }

  /** Mean time while runs follow each other. */
  private static double millis(Program program, Memory memory, int steps) {
    long begin = System.nanoTime();
    for (int step = 0; step < steps; step++) {
      int slot = step % memory.slots();
      memory.await(slot);
      program.submit(slot);
    }
    for (int slot = 0; slot < memory.slots(); slot++) {
      memory.await(slot);
    }
    return (System.nanoTime() - begin) / 1e6 / steps;
  }

  private static void profile(Results results, Program program, int passes) {
    for (ProgramProfile.Line line : ProgramProfile.of(program, passes)) {
      results.note(
          String.format(
              Locale.ROOT,
              "KERNEL %-40s %4d x %9.3f ms %9.3f GB  %s",
              line.work(),
              line.count(),
              line.micros() / 1e3,
              line.bytes() / 1e9,
              line.kernels()));
    }
  }
}
