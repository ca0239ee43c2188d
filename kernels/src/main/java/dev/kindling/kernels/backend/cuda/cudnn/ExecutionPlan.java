package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.global.cudnn;

/** A graph bound to one engine configuration: what a launch runs. */
final class ExecutionPlan implements AutoCloseable {
  private final Descriptor descriptor;
  private final String engine;
  private final long workspaceBytes;

  private ExecutionPlan(Descriptor descriptor, String engine, long workspaceBytes) {
    this.descriptor = descriptor;
    this.engine = engine;
    this.workspaceBytes = workspaceBytes;
  }

  /**
   * Builds the first deterministic proposal within a workspace limit.
   *
   * @throws DeviceException naming every proposal and why it was not taken
   */
  static ExecutionPlan choose(
      CudnnHandle handle, Engines engines, String name, long workspaceLimit) {
    List<String> refused = new ArrayList<>(engines.failures());
    for (Engines.Config config : engines.configs()) {
      if (!config.deterministic()) {
        refused.add(config + ": not deterministic");
        continue;
      }
      try {
        ExecutionPlan plan = build(handle, config);
        if (plan.workspaceBytes <= workspaceLimit) {
          return plan;
        }
        refused.add(config + ": workspace of " + plan.workspaceBytes + " bytes");
        plan.close();
      } catch (DeviceException unsupported) {
        refused.add(config + ": " + unsupported.getMessage());
      }
    }
    throw new DeviceException(
        "cuDNN %d has no engine for %s with a workspace up to %d bytes; %d proposals:%n  %s"
            .formatted(
                handle.version(),
                name,
                workspaceLimit,
                engines.configs().size(),
                String.join("\n  ", refused)));
  }

  static ExecutionPlan build(CudnnHandle handle, Engines.Config config) {
    Descriptor plan =
        new Descriptor(cudnn.CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan");
    try {
      plan.set(cudnn.CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle)
          .set(cudnn.CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config.descriptor())
          .finish();
      return new ExecutionPlan(
          plan, config.toString(), plan.getLong(cudnn.CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
    } catch (RuntimeException failed) {
      plan.close();
      throw failed;
    }
  }

  Descriptor descriptor() {
    return descriptor;
  }

  /** Of the engine alone, without the graph's own tensors in the workspace. */
  long workspaceBytes() {
    return workspaceBytes;
  }

  /** Which engine, its notes and settings. */
  String engine() {
    return engine;
  }

  @Override
  public void close() {
    descriptor.close();
  }
}
