package dev.kindling.optim.outer;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Depart;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import dev.kindling.kernels.graph.op.SquaredDistance;
import dev.kindling.kernels.graph.op.StalenessGap;
import java.util.ArrayList;
import java.util.List;

/**
 * The sentences of a boundary between rounds, each a graph of its own. Whoever runs them begins and
 * waits for the reductions, which average every payload over the replicas:
 *
 * <pre>
 * blocking     depart, mean, arrive
 * late         mean of the last exchange, exchange
 * late, SYNC   at the first boundary depart, mean, arrive; at the second exchange with that payload
 * at the end   mean, arrive
 * where replicas differ, at the end show, mean, settle; with {@link OwnShare#ONE_REPLICA} a mean and an
 *              exchange before it, for what is still on its way
 * </pre>
 *
 * <p>Before the first round an anchor is a copy of the weights, the same on all replicas, and all
 * else is zero: then an exchange with nothing arrived is {@link FirstRound#RESET}. A displacement
 * that was lost is a payload of zeros.
 *
 * <p>State in fp32 for each trained element: anchor, momentum and payload, 12 bytes, where replicas
 * differ also what was kept, 4. Behind the displacements travel the {@link RoundScalar}s of the
 * host, the squared length of the displacement and, for a ratio, a float for all or for each
 * parameter: the squared length of the first inner step. Their means arrive with the bits they have
 * everywhere, as outputs of what applies them.
 */
public final class OuterSentences {
  /** Variable of the {@link OuterScalar}s, written by the host before each boundary. */
  public static final String BLOCK = "outer/block";

  /** Variable of what a displacement is multiplied by, written by the host; unread by a ratio. */
  public static final String GAIN = "outer/gain";

  /** What the names of all payloads begin with: an arena to average. */
  public static final String PAYLOAD = "outer/payload/";

  /** Variable of the {@link RoundScalar}s that depart, written by the host before a boundary. */
  public static final String TELLING = "outer/telling";

  /** Output: means over the replicas of the {@link RoundScalar}s that arrived. */
  public static final String TOLD = "out/outer_told";

  /** Output: mean over the replicas of the squared length of the displacement that arrived. */
  public static final String MOVED = "out/outer_moved";

  /** Output: length of the mean displacement that arrived. */
  public static final String MEAN_NORM = "out/outer_mean_norm";

  /** Output: what it was multiplied by, one for all; of a gain of each parameter the first. */
  public static final String USED_GAIN = "out/outer_gain";

  private static final String SQUARES = PAYLOAD + "squares";

  /** Variable of the {@link RoundScalar}s that travel. */
  public static final String TOLD_BY_ALL = PAYLOAD + "told";

  private static final String MOVED_BY_ALL = PAYLOAD + "moved";
  private static final String FIRST = "outer/first";

  private final OuterStep step;
  private final List<Param> params;

  /**
   * @param params that are trained, in an order that all replicas share
   */
  public OuterSentences(OuterStep step, List<Param> params) {
    this.step = step;
    this.params = List.copyOf(params);
  }

  public static String anchor(Param p) {
    return "outer/anchor/" + p.name();
  }

  public static String momentum(Param p) {
    return "outer/momentum/" + p.name();
  }

  public static String payload(Param p) {
    return PAYLOAD + "param/" + p.name();
  }

  public static String kept(Param p) {
    return "outer/kept/" + p.name();
  }

  /** Declares what the sentences keep, payloads last and side by side; every graph begins so. */
  public void declare(GraphBuilder b) {
    for (Param p : params) {
      state(b, anchor(p), b.master(p).type());
      state(b, momentum(p), b.master(p).type());
      if (step.merge() == Merge.OWN) {
        state(b, kept(p), b.master(p).type());
      }
    }
    measures().forEach(name -> state(b, FIRST + name, ValueType.f32(1)));
    params.forEach(p -> sent(b, payload(p), b.master(p).type()));
    measures().forEach(name -> sent(b, SQUARES + name, ValueType.f32(1)));
    told(b);
    sent(b, MOVED_BY_ALL, ValueType.f32(1));
    block(b);
    telling(b);
    b.variable(new Variable(GAIN, ValueType.f32(1), Role.INPUT));
  }

  /** All variables that travel, in the order in which they lie. */
  public List<Variable> payloads() {
    List<Variable> payloads = new ArrayList<>();
    GraphBuilder b = new GraphBuilder();
    declare(b);
    for (Variable variable : b.graph().variables()) {
      if (variable.role() == Role.PAYLOAD) {
        payloads.add(variable);
      }
    }
    return payloads;
  }

  /** Measures the first inner step of a round, right behind it; nothing without a ratio. */
  public void firstStep(GraphBuilder b) {
    declare(b);
    if (step.penalty() == Penalty.RATIO_NORM) {
      measure(b, "", params);
    } else if (step.penalty() == Penalty.RATIO_TENSOR) {
      params.forEach(p -> measure(b, "/" + p.name(), List.of(p)));
    }
  }

  private void measure(GraphBuilder b, String name, List<Param> of) {
    Value squares = squaredDistance(b, of);
    b.add(new Copy(), squares, state(b, FIRST + name, ValueType.f32(1)));
  }

  private static Value squaredDistance(GraphBuilder b, List<Param> of) {
    List<Value> pairs = new ArrayList<>();
    for (Param p : of) {
      pairs.add(state(b, anchor(p), b.master(p).type()));
      pairs.add(b.master(p));
    }
    return b.add(new SquaredDistance(), pairs.toArray(Value[]::new)).get(0);
  }

  /** The displacement of the round over the payload. */
  public void depart(GraphBuilder b) {
    declare(b);
    Value moved = moved(b);
    for (Param p : params) {
      ValueType type = b.master(p).type();
      b.add(new Depart(), state(b, anchor(p), type), b.master(p), sent(b, payload(p), type));
    }
    departScalars(b, moved);
  }

  /** Applies the mean displacement that lies in the payload; live weights are lost. */
  public void arrive(GraphBuilder b) {
    declare(b);
    tell(b);
    update(b, Merge.FRESH);
  }

  /** The anchor over the payload, where replicas end. */
  public void show(GraphBuilder b) {
    declare(b);
    for (Param p : params) {
      ValueType type = b.master(p).type();
      b.add(new Copy(), state(b, anchor(p), type), sent(b, payload(p), type));
    }
  }

  /** What lies in the payload over anchor and live weights; nothing is on its way any more. */
  public void settle(GraphBuilder b) {
    declare(b);
    for (Param p : params) {
      ValueType type = b.master(p).type();
      b.add(new Copy(), sent(b, payload(p), type), state(b, anchor(p), type));
      b.add(new Copy(), sent(b, payload(p), type), b.master(p));
      b.add(new Fill(0f), sent(b, payload(p), type));
      if (step.merge() == Merge.OWN) {
        b.add(new Fill(0f), state(b, kept(p), type));
      }
    }
  }

  /** The live weights over the anchor: where a run begins or goes on. */
  public void begin(GraphBuilder b) {
    declare(b);
    for (Param p : params) {
      b.add(new Copy(), b.master(p), state(b, anchor(p), b.master(p).type()));
    }
  }

  /**
   * Applies what lies in the payload and puts the displacement of the round there.
   *
   * @throws IllegalStateException for a blocking method, which departs and arrives
   */
  public void exchange(GraphBuilder b) {
    if (!step.late()) {
      throw new IllegalStateException("expected a method with a delay, found " + step);
    }
    declare(b);
    tell(b);
    Value moved = moved(b);
    update(b, step.merge());
    departScalars(b, moved);
  }

  /** What arrived, before anything is written over it. */
  private void tell(GraphBuilder b) {
    b.output(TOLD, told(b));
    b.output(MOVED, sent(b, MOVED_BY_ALL, ValueType.f32(1)));
    Value[] means =
        params.stream().map(p -> sent(b, payload(p), b.master(p).type())).toArray(Value[]::new);
    b.output(MEAN_NORM, b.add(new GlobalNorm(false), means).get(0));
  }

  private Value moved(GraphBuilder b) {
    return squaredDistance(b, params);
  }

  private void update(GraphBuilder b, Merge merge) {
    List<Value> gains = gains(b);
    b.output(USED_GAIN, gains.get(0));
    for (int i = 0; i < params.size(); i++) {
      Param p = params.get(i);
      ValueType type = b.master(p).type();
      List<Value> inputs = new ArrayList<>();
      inputs.add(state(b, anchor(p), type));
      inputs.add(state(b, momentum(p), type));
      inputs.add(b.master(p));
      inputs.add(sent(b, payload(p), type));
      if (merge == Merge.OWN) {
        inputs.add(state(b, kept(p), type));
      }
      inputs.add(block(b));
      inputs.add(gains.get(gains.size() == 1 ? 0 : i));
      b.add(new OuterUpdate(merge, step.nesterov()), inputs.toArray(Value[]::new));
    }
  }

  /** One for all, or one for each parameter. The momentum read here is that of the last step. */
  private List<Value> gains(GraphBuilder b) {
    List<Value> gains = new ArrayList<>();
    switch (step.penalty()) {
      case CONSTANT -> gains.add(b.variable(new Variable(GAIN, ValueType.f32(1), Role.INPUT)));
      case RATIO_NORM -> gains.add(gap(b, "", params));
      case RATIO_TENSOR -> params.forEach(p -> gains.add(gap(b, "/" + p.name(), List.of(p))));
    }
    return gains;
  }

  private Value gap(GraphBuilder b, String name, List<Param> of) {
    Value[] momenta =
        of.stream().map(p -> state(b, momentum(p), b.master(p).type())).toArray(Value[]::new);
    Value norm = b.add(new GlobalNorm(false), momenta).get(0);
    Value squares = sent(b, SQUARES + name, ValueType.f32(1));
    return b.add(new StalenessGap(), norm, squares, block(b)).get(0);
  }

  private void departScalars(GraphBuilder b, Value moved) {
    b.add(new Copy(), telling(b), told(b));
    b.add(new Copy(), moved, sent(b, MOVED_BY_ALL, ValueType.f32(1)));
    for (String name : measures()) {
      Value first = state(b, FIRST + name, ValueType.f32(1));
      b.add(new Copy(), first, sent(b, SQUARES + name, ValueType.f32(1)));
    }
  }

  /** What follows the names of the scalars of a ratio. */
  private List<String> measures() {
    return switch (step.penalty()) {
      case CONSTANT -> List.of();
      case RATIO_NORM -> List.of("");
      case RATIO_TENSOR -> params.stream().map(p -> "/" + p.name()).toList();
    };
  }

  private static Value block(GraphBuilder b) {
    ValueType type = ValueType.f32(OuterScalar.values().length);
    return b.variable(new Variable(BLOCK, type, Role.INPUT));
  }

  private static Value telling(GraphBuilder b) {
    ValueType type = ValueType.f32(RoundScalar.values().length);
    return b.variable(new Variable(TELLING, type, Role.INPUT));
  }

  private static Value told(GraphBuilder b) {
    return sent(b, TOLD_BY_ALL, ValueType.f32(RoundScalar.values().length));
  }

  private static Value sent(GraphBuilder b, String name, ValueType type) {
    return b.variable(new Variable(name, type, Role.PAYLOAD));
  }

  private static Value state(GraphBuilder b, String name, ValueType type) {
    return b.variable(new Variable(name, type, Role.STATE));
  }
}
