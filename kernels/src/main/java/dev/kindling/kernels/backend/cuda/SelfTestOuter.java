package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;

/** Outer steps in the sentences of {@link SelfTestGraph}. */
final class SelfTestOuter {
  private SelfTestOuter() {}

  static void speak(SelfTestGraph test) {
    Value block = test.floats(Role.STATE, OuterScalar.values().length);
    for (boolean nesterov : new boolean[] {false, true}) {
      Value anchor = array(test);
      Value momentum = array(test);
      Value norm = test.show(new GlobalNorm(false), momentum).get(0);
      Value squares = test.show(new SquaredDistance(), anchor, momentum).get(0);
      Value gain = test.show(new StalenessGap(), norm, squares, block).get(0);
      test.show(
          new OuterUpdate(Merge.STALE, nesterov),
          anchor,
          momentum,
          test.floats(Role.PARAMETER, 17, 9),
          array(test),
          block,
          gain);
      test.show(
          new OuterUpdate(Merge.OWN, nesterov),
          array(test),
          array(test),
          test.floats(Role.PARAMETER, 17, 9),
          array(test),
          array(test),
          block,
          gain);
      Value live = test.floats(Role.PARAMETER, 17, 9);
      Value from = array(test);
      Value payload = test.show(new Depart(), from, live, array(test)).get(0);
      Value fresh = array(test);
      test.show(new OuterUpdate(Merge.FRESH, nesterov), from, fresh, live, payload, block, gain);
    }
  }

  private static Value array(SelfTestGraph test) {
    return test.floats(Role.STATE, 17, 9);
  }
}
