package dev.kindling.driver.experiment;

import dev.kindling.kernels.backend.cuda.VisibleGpus;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.LauncherKind;
import dev.kindling.worker.plan.TrainPlan;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How many runs of an experiment go on at a time on this machine, and on which of its GPUs each.
 *
 * @param gpus for each run at a time what CUDA_VISIBLE_DEVICES is for it; empty leaves it alone
 */
record RunSlots(List<String> gpus) {
  RunSlots {
    gpus = List.copyOf(gpus);
  }

  int count() {
    return gpus.size();
  }

  /**
   * Without a wish as many as the cores or the GPUs of this machine allow. Runs on GPUs of this
   * machine get their own where there are enough; more are refused, since they would only wait for
   * each other's memory.
   *
   * @param wished 0 for no wish
   * @param plans of all runs
   * @param here what CUDA shows this process
   */
  static RunSlots of(int wished, List<TrainPlan> plans, VisibleGpus here) {
    int ranks = plans.stream().mapToInt(TrainPlan::ranks).max().orElse(1);
    boolean onGpus =
        plans.stream()
            .anyMatch(
                plan -> plan.device() == Device.CUDA && plan.launcher() != LauncherKind.SPARK);
    List<String> names = onGpus ? here.names() : List.of();
    if (names.isEmpty()) {
      int most = onGpus ? 1 : ofCores(plans.get(0));
      return new RunSlots(Collections.nCopies(wished > 0 ? wished : most, ""));
    }
    int most = names.size() / ranks;
    if (wished > most) {
      throw new PlanException(
          "parallel: expected at most "
              + most
              + ", found "
              + wished
              + ": each run has "
              + ranks
              + " rank(s), and this machine shows "
              + here);
    }
    List<String> gpus = new ArrayList<>();
    for (int slot = 0; slot < Math.max(1, wished > 0 ? wished : most); slot++) {
      gpus.add(
          String.join(
              ",", names.subList(slot * ranks, Math.min(names.size(), (slot + 1) * ranks))));
    }
    return new RunSlots(gpus);
  }

  private static int ofCores(TrainPlan plan) {
    int cores = Runtime.getRuntime().availableProcessors();
    int threads = plan.threads() > 0 ? plan.threads() : Math.max(1, cores / plan.ranks());
    return Math.max(1, cores / (plan.ranks() * threads));
  }
}
