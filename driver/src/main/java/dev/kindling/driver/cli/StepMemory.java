package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.backend.cpu.CpuBackend;
import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.TrainStep;
import java.util.List;

/**
 * What a step needs on the plan's device, and the saving that a run with the plan's limit takes.
 *
 * @param chosen the step with that saving
 * @param candidates what the plan admits, with prices
 * @param pricing what a device reserves for programs
 */
record StepMemory(
    TrainPlan plan,
    TrainStep chosen,
    List<MemoryFit.Candidate> candidates,
    MemoryFit.Pricing pricing) {
  /**
   * @throws dev.kindling.kernels.backend.DeviceException if nothing fits the limit, or if the
   *     device has no kernel for an operation
   */
  static StepMemory of(TrainPlan plan, TrainStep graphs) {
    MemoryFit.Pricing pricing =
        plan.device() == Device.CUDA
            ? (variables, programs) -> onCuda(variables, programs).total()
            : CpuBackend::planned;
    MemoryFit fit = new MemoryFit(graphs, plan.memory(), pricing);
    long limit = plan.memory().limit().map(ByteSize::bytes).orElse(Long.MAX_VALUE);
    List<MemoryFit.Candidate> candidates = fit.candidates();
    MemoryFit.Candidate taken =
        candidates.stream()
            .filter(candidate -> candidate.bytes() <= limit)
            .findFirst()
            // Throws, with what would fit.
            .orElseGet(() -> fit.choose(limit));
    return new StepMemory(plan, graphs.with(taken.saving()), candidates, pricing);
  }

  private static CudaBytes onCuda(List<Variable> variables, List<Graph> programs) {
    return CudaBytes.of(variables, programs, Precision.BF16, CudaBytes.H100_MULTIPROCESSORS);
  }

  /** What the chosen step reserves on a GPU. */
  CudaBytes deviceBytes() {
    List<Graph> programs = chosen.programs();
    return onCuda(TrainStep.variables(programs), programs);
  }

  /** The activation arena of one graph. */
  long activationBytes(Graph graph) {
    return plan.device() == Device.CUDA
        ? Layout.of(graph, Precision.BF16, GroupRules.ALL).activationBytes()
        : MemoryPlan.of(graph).totalBytes();
  }

  String limitText() {
    return plan.memory()
        .limit()
        .map(bytes -> "memory.limit " + bytes)
        .orElse(
            plan.device() == Device.CUDA
                ? "what is free on the GPU at start"
                : "none without memory.limit");
  }

  /** What is said of the chosen saving: without a limit a run on a GPU may have to take another. */
  String takenText() {
    return plan.device() == Device.CUDA && plan.memory().limit().isEmpty()
        ? "taken if that much is free at start, else the first that fits"
        : "taken";
  }
}
