package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.rule.Apollo;
import dev.kindling.optim.rule.ApolloMini;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.WeightStorage;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What ranks that train apart must not be asked. A section is null only when the binder has already
 * refused it and looks for further errors.
 */
record SyncConditions(
    OuterMethod method, Determinism determinism, Device device, @Nullable Descent optimizer) {
  void check(@Nullable MeshSpec mesh, @Nullable MemorySpec memory, Expectation errors) {
    String with = " with sync " + method.getClass().getSimpleName().toLowerCase(Locale.ROOT);
    errors.that(
        determinism != Determinism.EXACT,
        "determinism",
        "replay" + with + " (replicas are no summands of one gradient)",
        determinism);
    errors.that(
        device != Device.CUDA,
        "device",
        "cpu" + with + " (GPUs have no reduction beside their programs yet)",
        device);
    errors.that(
        mesh == null || mesh.zero() == 0,
        "mesh.zero",
        "0" + with + " (a rank is a group of its own)",
        mesh == null ? 0 : mesh.zero());
    errors.that(
        !(optimizer instanceof Mezo),
        "sync.type",
        "every_step with optimizer mezo (whose ranks exchange numbers, not weights)",
        method.getClass().getSimpleName());
    errors.that(
        optimizer == null || TrainPlan.keepsMasters(optimizer),
        "optimizer.master",
        "true" + with + " (an outer step adds to fp32 masters)",
        false);
    errors.that(
        optimizer == null || !isCoded(optimizer),
        "optimizer.weights",
        "fp32" + with + " (an outer step adds to fp32 masters)",
        "int8");
    errors.that(
        memory == null || memory.gradients() != GradientStorage.LAYERWISE,
        "memory.gradients",
        "auto or fp32" + with + " (an update in backward has no step that ends)",
        "layerwise");
  }

  /** Each replica has an optimizer state of its own, which nobody could go on with. */
  static void check(@Nullable RecoverySpec recovery, int ranks, Expectation errors) {
    int fewest = recovery == null ? ranks : recovery.minRanks().orElse(ranks);
    errors.that(
        fewest >= ranks,
        "recovery.min_ranks",
        "ranks " + ranks + " where ranks train apart (each has an optimizer state of its own)",
        fewest);
  }

  private static boolean isCoded(Descent descent) {
    return descent instanceof Optimizer optimizer
        && optimizer.rules().stream()
            .anyMatch(
                rule ->
                    (rule instanceof Apollo apollo && apollo.weights() == WeightStorage.INT8)
                        || (rule instanceof ApolloMini mini
                            && mini.weights() == WeightStorage.INT8));
  }

  /** What is allowed and may not be meant, a sentence each. */
  static List<String> warnings(TrainPlan plan) {
    if (!(plan.sync() instanceof OuterMethod method)) {
      return List.of();
    }
    List<String> warnings = new ArrayList<>();
    method.warnings(plan.ranks()).forEach(text -> warnings.add("sync." + text));
    if (plan.ranks() == 1) {
      warnings.add("sync: of one rank an outer step averages nothing");
    }
    if (method.tau() > plan.steps()) {
      warnings.add(
          "sync.tau: "
              + method.tau()
              + " is more than steps "
              + plan.steps()
              + ": one short round");
    }
    if (plan.guard().spikeZ() > 0) {
      warnings.add(
          "guard.spike_z: spikes are not looked for, since no rank knows the loss of all in a step");
    }
    moved(warnings, method, "checkpoint.every_steps", plan.checkpoint().everySteps());
    moved(warnings, method, "validation.every_steps", plan.validation().everySteps());
    return warnings;
  }

  private static void moved(List<String> warnings, OuterMethod method, String key, long every) {
    if (every % method.tau() != 0) {
      warnings.add(
          key
              + ": "
              + every
              + " is no multiple of sync.tau "
              + method.tau()
              + ": what falls inside a round happens at its end");
    }
  }
}
