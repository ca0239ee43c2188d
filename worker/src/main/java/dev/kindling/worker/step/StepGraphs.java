package dev.kindling.worker.step;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.Scale;
import dev.kindling.kernels.graph.rewrite.DequantizeAgain;
import dev.kindling.kernels.graph.rewrite.ReduceEarly;
import dev.kindling.kernels.random.Int8Grid;
import dev.kindling.optim.outer.OuterStep;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.optim.rule.WeightStorage;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.TrainedColumns;
import dev.kindling.worker.plan.GradientLife;
import dev.kindling.worker.shard.GradientExchange;
import dev.kindling.worker.shard.ParameterPlaces;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * The sentences of a training step.
 *
 * <pre>
 * accumulate   forward, backward; gradients += sums over tokens
 * stash k      fold levels 0..k-1 into the gradients, keep the result in level k, clear the gradients
 * finish       forward, backward, fold all levels, reduce over ranks, norm, clip, update, clear
 * evaluate     forward; loss sum and token count
 * spread       working copies of the weights from the masters of all ranks (sharding only)
 * boundary     anchors, displacements and outer steps of replicas (local updates only)
 * </pre>
 *
 * <p>A step is {@code accumulate} for every micro-batch but the last and {@code finish} for the
 * last. {@code stash} exists only in exact mode, where it is a binary counter over the logical
 * shards (reliability.md 5.2).
 *
 * <p>Passes, each written for what the ones before it leave:
 *
 * <pre>
 * shard          each read of a sharded parameter is a gather or a working copy ({@link Sharding})
 * fuse
 * differentiate  transposes of the gathers included
 * save memory    loss in chunks, forward values a second time ({@link MemorySaving}): these read the
 *                weights that forward gathered
 * settle         gathers taken out, or again in backward and a layer ahead, for all readers so far
 * unpack again   packed matrices right before each reader
 * overwrite      the first sum into each gradient, also that of a chunk, becomes a write
 * reduce, update, clear, then each reduction behind the last writer of its inputs
 * schedule
 * </pre>
 *
 * @param model with its vocabulary fixed
 */
public record StepGraphs(
    ModelFamily model,
    Projection projection,
    Optimizer rule,
    StepShape shape,
    Sharding sharding,
    GradientLife life,
    Optional<OuterStep> outer)
    implements TrainStep {
  /** Ranks that agree in every step. */
  public StepGraphs(
      ModelFamily model,
      Projection projection,
      Optimizer rule,
      StepShape shape,
      Sharding sharding,
      GradientLife life) {
    this(model, projection, rule, shape, sharding, life, Optional.empty());
  }

  /** Gradients in fp32. */
  public StepGraphs(
      ModelFamily model,
      Projection projection,
      Optimizer rule,
      StepShape shape,
      Sharding sharding) {
    this(model, projection, rule, shape, sharding, GradientLife.SUMS);
  }

  /** Every rank keeps everything. */
  public StepGraphs(ModelFamily model, Projection projection, Optimizer rule, StepShape shape) {
    this(model, projection, rule, shape, Sharding.none());
  }

  /** Names of the variables that the loop reads or writes. */
  public static final String TARGETS = "targets";

  public static final String STOP_VOTES = "stop_votes";
  public static final String LOSS_SUM = "out/loss_sum";
  public static final String TOKEN_COUNT = "out/token_count";
  public static final String GRAD_NORM = "out/grad_norm";
  public static final String SCALE = "out/scale";
  public static final String STOPS = "out/stop_votes";

  @Override
  public StepGraphs with(MemorySaving saving) {
    return with(shape.with(saving));
  }

  private StepGraphs with(Projection other) {
    return new StepGraphs(model, other, rule, shape, sharding, life, outer);
  }

  @Override
  public StepGraphs with(StepShape other) {
    return new StepGraphs(model, projection, rule, other, sharding, life, outer);
  }

  /** The same sentences with gradients that a device may store in its narrow precision. */
  public StepGraphs withNarrowGradients() {
    return with(GradientLife.NARROW_SUMS);
  }

  /** The same sentences with gradients that are, and live, so. */
  public StepGraphs with(GradientLife other) {
    return new StepGraphs(model, projection, rule, shape, sharding, other, outer);
  }

  /** The same sentences for replicas that meet in outer steps. */
  public StepGraphs with(OuterStep method) {
    return new StepGraphs(model, projection, rule, shape, sharding, life, Optional.of(method));
  }

  @Override
  public Descent descent() {
    return rule;
  }

  @Override
  public boolean keepsActivations() {
    return true;
  }

  /** On the grids of those that are stored in codes. */
  @Override
  public FirstValues first(FirstValues values) {
    return (param, from, target) -> {
      values.fill(param, from, target);
      if (param.demand() instanceof Whole
          && rule.ruleOf(param).storage(param) == WeightStorage.INT8) {
        Int8Grid.nearest(target);
      }
    };
  }

  @Override
  public List<StateVariable> state(Param param) {
    return rule.ruleOf(param).state(param, param.shape());
  }

  @Override
  public Graph accumulate() {
    return accumulate(false);
  }

  private Graph accumulate(boolean first) {
    ParameterPlaces places = sharding.places();
    GraphBuilder b = new GraphBuilder(places);
    Map<Param, Value> gradients = backward(b, places);
    if (first) {
      GradientArena.overwrite(b, gradients);
    }
    return b.build();
  }

  /**
   * Programs of the micro-steps before the last, in order; the last one repeats. The first writes
   * over the gradients of the step before, where the shape says how many there are.
   */
  @Override
  public List<Graph> microSteps() {
    if (!shape.overwrites()) {
      return List.of(accumulate());
    }
    return switch (shape.microSteps()) {
      case 1 -> List.of();
      case 2 -> List.of(accumulate(true));
      default -> List.of(accumulate(true), accumulate());
    };
  }

  @Override
  public Graph finish() {
    if (life == GradientLife.PASSING) {
      return new LayerwiseStep(this).finish();
    }
    ParameterPlaces places = sharding.places();
    GraphBuilder b = new GraphBuilder(places);
    Map<Param, Value> gradients = backward(b, places);
    if (shape.overwrites() && shape.microSteps() == 1) {
      GradientArena.overwrite(b, gradients);
    }
    List<Param> read = List.copyOf(gradients.keySet());
    List<Value> sums = GradientArena.arena(b, gradients);
    for (int level = 0; level < shape.levels(); level++) {
      sums = fold(b, sums, level);
    }
    List<Param> params = updated(b, read, sums);
    GradientExchange exchange = sharding.exchange();
    sums = exchange.reduce(b, params, sums, shape.levels() > 0, GradientArena.narrow(b));
    Value lossSum = sums.get(sums.size() - 3);
    Value tokenCount = sums.get(sums.size() - 2);
    Value norm = exchange.norm(b, params, sums, tokenCount);
    rule.check(params);
    rule.declareSteps(b);
    Value scale = b.add(new ClipScale(), norm, tokenCount, b.step(), lossSum).get(0);
    for (int i = 0; i < params.size(); i++) {
      rule.update(b, params.get(i), sums.get(i), scale);
      places.spread(b, params.get(i));
      write(b, places, read.get(i));
    }
    GradientArena.outputs(b, sums.subList(params.size(), sums.size()), norm, scale);
    clear(b, gradients);
    if (sharding.ranks() > 1) {
      b.rewrite(new ReduceEarly());
    }
    return b.build();
  }

  /** What the rule changes for each parameter with a gradient; sums become gradients of that. */
  private List<Param> updated(GraphBuilder b, List<Param> read, List<Value> sums) {
    List<Param> updated = new ArrayList<>();
    for (int i = 0; i < read.size(); i++) {
      Optional<TrainedColumns> columns = projection.columns(read.get(i));
      float factor = columns.map(TrainedColumns::scale).orElse(1f);
      if (factor != 1f) {
        sums.set(i, b.add(new Scale(factor), sums.get(i)).get(0));
      }
      updated.add(columns.map(TrainedColumns::delta).orElse(read.get(i)));
    }
    return updated;
  }

  /** Writes trained columns into the weight that products read. */
  void write(GraphBuilder b, ParameterPlaces places, Param param) {
    projection
        .columns(param)
        .ifPresent(
            columns ->
                b.add(
                    columns.scatter(),
                    b.param(columns.base()),
                    places.updated(b, columns.delta()),
                    b.master(param)));
  }

  /**
   * What nobody writes over in the next step: the votes of the host, and all sums that may grow.
   */
  private void clear(GraphBuilder b, Map<Param, Value> gradients) {
    List<Value> cleared =
        shape.overwrites()
            ? List.of(b.variable(GradientArena.scalar(STOP_VOTES)))
            : GradientArena.arena(b, GradientArena.contents(b, gradients));
    b.add(new Fill(0f), cleared.toArray(Value[]::new));
  }

  /** Keeps the sum of the shards so far in {@code level} until its sibling subtree is complete. */
  @Override
  public Graph stash(int level) {
    GraphBuilder b = new GraphBuilder();
    List<Value> sums = declaredArena(b);
    for (int lower = 0; lower < level; lower++) {
      sums = fold(b, sums, lower);
    }
    for (int i = 0; i < sums.size(); i++) {
      b.add(new Copy(), sums.get(i), partial(b, sums.get(i), i, level));
    }
    b.add(new Fill(0f), sums.toArray(Value[]::new));
    return b.build();
  }

  @Override
  public Graph evaluate() {
    ParameterPlaces places = sharding.places();
    GraphBuilder b = new GraphBuilder(places);
    LossValues loss = with(projection.evaluating()).forward(b);
    shape.saving().apply(b);
    places.settle(b, model.layers());
    b.output(LOSS_SUM, loss.lossSum());
    b.output(TOKEN_COUNT, loss.tokenCount());
    return b.build();
  }

  /**
   * Gathers the working copies of all ranks' masters and writes trained columns into their weights,
   * after the host wrote masters; empty where the rank reads its masters.
   */
  @Override
  public Graph spread() {
    GraphBuilder sentence = new GraphBuilder();
    forward(sentence);
    ParameterPlaces places = sharding.places();
    GraphBuilder b = new GraphBuilder(places);
    for (Param param : sentence.params()) {
      places.spread(b, param);
      projection.columns(param).ifPresent(columns -> places.spread(b, columns.delta()));
      write(b, places, param);
    }
    return b.build();
  }

  @Override
  public List<OuterSentence> sentences() {
    return outer.map(OuterSentence::of).orElse(List.of());
  }

  @Override
  public List<Graph> boundary() {
    return outer.map(step -> new OuterGraphs(this, step).graphs()).orElse(List.of());
  }

  /** Writes the model's sentence and its loss. */
  LossValues forward(GraphBuilder b) {
    projection.declare(b, model);
    ModelInputs in =
        ModelInputs.declare(b, shape.microTokens(), shape.sequence(), shape.maskDocuments());
    Value targets = b.input(TARGETS, Shape.of(shape.microTokens()), DType.I32);
    return b.crossEntropy(model.logits(b, in, projection), targets);
  }

  /** Forward and backward of a step whose gradients are no variables. */
  Map<Param, Value> differentiated(GraphBuilder b) {
    Map<Param, Value> passing = gradients(b, forward(b).lossSum());
    shape.saving().apply(b);
    return passing;
  }

  /** Writes the gradients of a loss behind its forward pass. */
  Map<Param, Value> gradients(GraphBuilder b, Value lossSum) {
    return life == GradientLife.PASSING
        ? Autodiff.passing(b, lossSum)
        : Autodiff.gradients(b, lossSum, freshGradients(b));
  }

  private Map<Param, Value> backward(GraphBuilder b, ParameterPlaces places) {
    Value lossSum = forward(b).lossSum();
    Map<Param, Value> gradients = gradients(b, lossSum);
    shape.saving().apply(b);
    places.settle(b, model.layers());
    b.rewrite(new DequantizeAgain());
    b.variable(GradientArena.scalar(STOP_VOTES));
    return gradients;
  }

  /** Parameters whose gradient one backward pass completes, given the forward pass. */
  private Predicate<Param> freshGradients(GraphBuilder forward) {
    boolean narrow = life == GradientLife.NARROW_SUMS;
    return narrow && shape.overwrites() && shape.microSteps() == 1 && sharding.stage() < 2
        ? FreshGradients.of(forward, shape.saving())
        : FreshGradients.none();
  }

  /** The arena again in a graph that computes no gradient, declared as {@link #backward} does. */
  private List<Value> declaredArena(GraphBuilder b) {
    ParameterPlaces places = sharding.places();
    Map<Param, Value> gradients = backward(new GraphBuilder(places), places);
    return GradientArena.arena(b, GradientArena.contents(b, gradients));
  }

  private static Value partial(GraphBuilder b, Value sum, int index, int level) {
    String name = "partial/" + level + "/" + index;
    return b.variable(new Variable(name, sum.type(), Role.PARTIAL));
  }

  private List<Value> fold(GraphBuilder b, List<Value> sums, int level) {
    List<Value> folded = new ArrayList<>();
    for (int i = 0; i < sums.size(); i++) {
      folded.add(b.add(new Accumulate(), sums.get(i), partial(b, sums.get(i), i, level)).get(0));
    }
    return folded;
  }
}
