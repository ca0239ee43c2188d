package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearOnto;
import dev.kindling.kernels.graph.op.Magnitude;
import dev.kindling.kernels.graph.op.MaskedWeight;
import dev.kindling.kernels.graph.op.RowNorms;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.op.WeightLayout;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Weight;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Frozen weights with low-rank branches beside some of them.
 *
 * @param branches by the name of the linear map, in the order of the model
 * @param dropout share of a branch's inputs that is left out
 */
record LowRankProjection(FrozenWeights base, Map<String, Branch> branches, float dropout, long seed)
    implements Projection {
  /** Keeps these streams apart from those that fill parameters with small seeds. */
  private static final long DROPOUT = 0x64726F706F757473L;

  LowRankProjection {
    branches = Collections.unmodifiableMap(new LinkedHashMap<>(branches));
  }

  @Override
  public Value project(GraphBuilder b, Weight weight, Value x) {
    Branch branch = branches.get(weight.name());
    if (branch == null) {
      return base.project(b, weight, x);
    }
    if (branch.masked()) {
      return masked(b, branch, x);
    }
    boolean biased = weight.bias() && !branch.magnitude();
    Value y = base.apply(b, weight, x, base.matrix(b, weight), biased);
    Linear linear = new Linear(WeightLayout.OUT_IN, false);
    Value hidden = b.add(linear, dropped(b, weight, x), b.param(branch.down())).get(0);
    if (branch.scale() != 1f) {
      hidden = b.add(new Scale(branch.scale()), hidden).get(0);
    }
    y = b.add(new LinearOnto(), hidden, b.param(branch.up()), y).get(0);
    return branch.magnitude() ? lengthened(b, branch, y) : y;
  }

  private Value masked(GraphBuilder b, Branch branch, Value x) {
    Weight weight = branch.weight();
    MaskedWeight op = new MaskedWeight(weight.layout(), branch.scale());
    Value matrix = base.matrix(b, weight);
    Value v = b.add(op, matrix, b.param(branch.down()), b.param(branch.up())).get(0);
    Linear linear = new Linear(WeightLayout.OUT_IN, weight.bias());
    return weight.bias()
        ? b.add(linear, x, v, base.read(b, weight.offset())).get(0)
        : b.add(linear, x, v).get(0);
  }

  private Value dropped(GraphBuilder b, Weight weight, Value x) {
    if (dropout == 0f) {
      return x;
    }
    Value place = b.input(Dropout.PLACE, Shape.of(2), DType.I32);
    long key = Initialization.key(seed ^ DROPOUT, weight.name());
    return b.add(new Dropout(dropout, key), x, place).get(0);
  }

  private Value lengthened(GraphBuilder b, Branch branch, Value v) {
    Weight weight = branch.weight();
    Value norms =
        b.add(
                new RowNorms(weight.layout(), branch.scale()),
                base.matrix(b, weight),
                b.param(branch.down()),
                b.param(branch.up()))
            .get(0);
    List<Value> inputs = new ArrayList<>(List.of(v, b.param(branch.length()), norms));
    if (weight.bias()) {
      inputs.add(base.read(b, weight.offset()));
    }
    return b.add(new Magnitude(weight.bias()), inputs.toArray(Value[]::new)).get(0);
  }

  @Override
  public Value read(GraphBuilder b, Param p) {
    return base.read(b, p);
  }

  /** Weights of the base stay neighbours, and so become those of the branches. */
  @Override
  public void declare(GraphBuilder b, ModelFamily model) {
    base.declare(b, model);
    branches.values().forEach(branch -> b.master(branch.down()));
    branches.values().forEach(branch -> b.master(branch.up()));
  }

  @Override
  public List<Nf4Weight> packed() {
    return base.packed();
  }

  @Override
  public Projection evaluating() {
    return dropout == 0f ? this : new LowRankProjection(base, branches, 0f, seed);
  }

  @Override
  public FirstValues merged(FirstValues first, FirstValues trained) {
    FirstValues seen = base.seen(first);
    FirstValues plain = base.merged(first, trained);
    return (param, from, target) -> {
      Branch branch = branches.get(param.name().replaceFirst("\\.weight$", ""));
      if (branch == null) {
        plain.fill(param, from, target);
      } else {
        new MergedWeight(branch, seen, trained).fill(from, target);
      }
    };
  }

  @Override
  public FirstValues values(FirstValues plain) {
    FirstValues first = base.seen(plain);
    return (param, from, target) -> {
      String name = param.name();
      if (name.endsWith(Branch.MAGNITUDE)) {
        String map = name.substring(0, name.length() - Branch.MAGNITUDE.length());
        Weight weight = Objects.requireNonNull(branches.get(map), name).weight();
        DerivedValues.lengths(weight, first, from, target);
      } else if (name.endsWith(Branch.DOWN) || name.endsWith(Branch.UP)) {
        Initialization.fill(param, seed, from, target);
      } else {
        first.fill(param, from, target);
      }
    };
  }
}
