package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.DeviceRoofs;
import dev.kindling.kernels.backend.cuda.ProgramProfile;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.model.ModelInputs;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * {@code bench gpu-kernels MODEL MICRO SEQ [--passes N]}: every command of a training step timed by
 * itself, and how near each kind of work comes to what the card can do: products and attention to
 * the rate of a large product, the rest to the rate of a copy, both measured in the same call. What
 * takes more than 1 % of the step under 70 % of its roof is marked.
 */
final class GpuKernelsBench implements Benchmark {
  private static final double LEAST_SHARE = 0.01;
  private static final double LEAST_ROOF = 0.70;

  @Override
  public void run(Results results, List<String> arguments) {
    GpuOptions options = GpuOptions.of(arguments, Map.of("passes", "15"));
    DeviceRoofs roofs = DeviceRoofs.measure(0);
    String name = options.prefix("gpu-kernels");
    results.add(name + "copy", roofs.bytesPerSecond() / 1e9, "GB/s");
    results.add(name + "product", roofs.flopsPerSecond() / 1e12, "TFLOP/s");
    Graph graph = options.model().graphs(options.micro(), options.sequence(), 1e-4).finish();
    Communicator alone = LoopbackCommunicator.create(1).get(0);
    CudaOptions cuda = new CudaOptions(0, Precision.BF16, true, true);
    try (CudaBackend backend = new CudaBackend(cuda, line -> {});
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of(Axis.DATA, alone))) {
      fill(graph, memory, options);
      program.run();
      report(results, name, ProgramProfile.of(program, options.more().count("passes")), roofs);
    }
  }

  /** First weights, random tokens, step block as in a first step. */
  private static void fill(Graph graph, Memory memory, GpuOptions options) {
    for (Param param : graph.params()) {
      Initialization.fill(param, 1, memory.span(param.name()));
      memory.publish(param.name());
    }
    SplittableRandom random = new SplittableRandom(1);
    for (Variable variable : graph.variables()) {
      if (variable.role() == Role.INPUT) {
        Span span = memory.span(variable.name());
        boolean place = variable.name().equals(ModelInputs.POSITIONS);
        for (int i = 0; i < variable.type().shape().elements(); i++) {
          span.putInt(
              i, place ? i % options.sequence() : random.nextInt(options.model().vocabulary()));
        }
      }
    }
    Span step = memory.arena(Role.STEP);
    step.putFloat(StepScalar.LEARNING_RATE.ordinal(), 1e-4f);
    step.putFloat(StepScalar.BIAS_CORRECTION1.ordinal(), 0.1f);
    step.putFloat(StepScalar.BIAS_CORRECTION2.ordinal(), 0.05f);
    step.putFloat(StepScalar.CLIP_NORM.ordinal(), 1);
    step.putFloat(StepScalar.STEP.ordinal(), 1);
  }

  private static void report(
      Results results, String name, List<ProgramProfile.Line> lines, DeviceRoofs roofs) {
    double step = lines.stream().mapToDouble(ProgramProfile.Line::micros).sum();
    results.add(name + "sum", step / 1e3, "ms");
    int marked = 0;
    for (ProgramProfile.Line line : lines) {
      double needed =
          line.flops() > 0
              ? line.flops() / roofs.flopsPerSecond()
              : line.bytes() / roofs.bytesPerSecond();
      double roof = needed * 1e6 / line.micros();
      boolean slow = line.micros() > LEAST_SHARE * step && roof < LEAST_ROOF;
      marked += slow ? 1 : 0;
      results.note(
          String.format(
              Locale.ROOT,
              "KERNEL %-58s %4d x %9.3f ms %5.1f%% %10.3f %-7s %5.1f%% of roof%s  %s",
              line.work(),
              line.count(),
              line.micros() / 1e3,
              100 * line.micros() / step,
              (line.flops() > 0 ? line.flops() : line.bytes()) / 1e9,
              line.flops() > 0 ? "GFLOP" : "GB",
              100 * roof,
              slow ? " <-- work item" : "",
              line.kernels()));
      if (line.micros() > LEAST_SHARE * step) {
        String key = name + line.work().replaceAll("[^A-Za-z0-9]+", "_") + '.';
        results.add(key + "time", line.micros() / 1e3, "ms");
        results.add(key + "roof", 100 * roof, "%");
      }
    }
    results.add(name + "under-roof", marked, "count");
  }
}
