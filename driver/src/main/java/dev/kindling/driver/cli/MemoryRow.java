package dev.kindling.driver.cli;

import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.step.TrainStep;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * What a step takes on a device, by what it is for: the bytes that the planner reserves.
 *
 * @param weights masters, copies and pieces of them, codes of 8 and of 4 bits
 * @param gradients also of logical shards that wait
 * @param state of the optimizer
 * @param activations the largest arena of any program
 * @param workspace of kernels and products, inputs, outputs and tables
 */
record MemoryRow(
    String method, long weights, long gradients, long state, long activations, long workspace) {

  /**
   * @throws dev.kindling.kernels.backend.DeviceException if the device has no kernel for an
   *     operation
   */
  static MemoryRow of(String method, TrainStep step, Device device) {
    List<Graph> programs = step.programs();
    List<Variable> variables = TrainStep.variables(programs);
    if (device == Device.CUDA) {
      CudaBytes bytes =
          CudaBytes.of(variables, programs, Precision.BF16, CudaBytes.H100_MULTIPROCESSORS);
      long kernels = bytes.scratch() + bytes.workspace() + bytes.ropeTables() + bytes.constants();
      long beside = bytes.copies() + bytes.codes();
      return of(method, bytes.variables(), beside, bytes.activations(), kernels);
    }
    Map<Role, Long> bytes = new EnumMap<>(Role.class);
    variables.forEach(v -> bytes.merge(v.role(), Span.aligned(v.type().bytes()), Long::sum));
    long activations =
        programs.stream().mapToLong(graph -> MemoryPlan.of(graph).totalBytes()).max().orElse(0);
    return of(method, bytes, 0, activations, 0);
  }

  private static MemoryRow of(
      String method, Map<Role, Long> bytes, long beside, long activations, long kernels) {
    return new MemoryRow(
        method,
        beside + sum(bytes, Role.PARAMETER, Role.SHARD, Role.WORKING, Role.FROZEN),
        sum(bytes, Role.GRADIENT, Role.FRESH_GRADIENT, Role.PARTIAL),
        sum(bytes, Role.STATE, Role.NARROW_STATE, Role.PAYLOAD),
        activations,
        kernels + sum(bytes, Role.INPUT, Role.OUTPUT, Role.STEP));
  }

  private static long sum(Map<Role, Long> bytes, Role... roles) {
    long sum = 0;
    for (Role role : roles) {
      sum += bytes.getOrDefault(role, 0L);
    }
    return sum;
  }

  long total() {
    return weights + gradients + state + activations + workspace;
  }

  /** In the order of {@link MemoryTable#COLUMNS}. */
  List<Long> parts() {
    return List.of(weights, gradients, state, activations, workspace);
  }
}
