package dev.kindling.worker.loop;

import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.Sync;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.OuterState;
import dev.kindling.worker.step.StepProgram;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a checkpoint holds, the same list on all ranks.
 *
 * <pre>
 *                         every step   local updates   and replicas differ
 * weights                 once         once            of replica 0; of r: replica/r/NAME
 * inner optimizer state   once         replica/r/NAME  replica/r/NAME
 * outer momentum                       once            replica/r/outer/momentum/NAME
 * payload (a delay)                    once            once
 * what a replica sent                                  replica/r/outer/kept/NAME
 * </pre>
 */
final class SavedTensors {
  private SavedTensors() {}

  /**
   * @param ranks of the run, each a replica of its own where they train apart
   */
  static Map<PartKind, List<Held>> of(StepProgram program, Sync sync, int ranks) {
    Map<PartKind, List<Held>> held = new EnumMap<>(PartKind.class);
    if (!(sync instanceof OuterMethod method)) {
      held.put(PartKind.MODEL, program.trainedWeights());
      held.put(PartKind.OPTIMIZER, program.state());
      return held;
    }
    OuterState outer = new OuterState(program, method);
    boolean differ = method.step().replicasDiffer();
    List<Held> ofReplica = new ArrayList<>(program.state());
    List<Held> state = new ArrayList<>(outer.payload());
    if (differ) {
      ofReplica.addAll(outer.momenta());
      ofReplica.addAll(outer.kept());
    } else {
      state.addAll(outer.momenta());
    }
    for (int rank = 0; rank < ranks; rank++) {
      int replica = rank;
      ofReplica.forEach(each -> state.add(each.ofReplica(replica)));
      if (differ && rank > 0) {
        program.trainedWeights().forEach(each -> state.add(each.ofReplica(replica)));
      }
    }
    held.put(
        PartKind.MODEL,
        differ
            ? program.trainedWeights().stream().map(each -> each.writtenBy(0)).toList()
            : program.trainedWeights());
    held.put(PartKind.OPTIMIZER, state);
    return held;
  }

  /** What all ranks hold with the same bits between rounds, with its kind in words. */
  static Map<String, List<Held>> alike(StepProgram program, Sync sync) {
    Map<String, List<Held>> alike = new LinkedHashMap<>();
    if (!(sync instanceof OuterMethod method)) {
      alike.put("weight", program.weights());
      alike.put("optimizer", program.state());
    } else if (!method.step().replicasDiffer()) {
      alike.put("weight", program.weights());
      alike.put("outer momentum", new OuterState(program, method).momenta());
    }
    return alike;
  }
}
