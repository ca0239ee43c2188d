package dev.kindling.worker.step;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.LossValues;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.ConcatRows;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.ProjectedGradient;
import dev.kindling.kernels.graph.rewrite.UploadsAhead;
import dev.kindling.kernels.random.StochasticRounding;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The sentences of a zeroth-order step.
 *
 * <pre>
 * accumulate   for each direction: forward at p + eps z and at p - eps z, layer by layer
 *              ({@link TwoPoints}); loss sums += theirs
 * finish       the same, then: loss sums of all ranks, slopes, p -= lr g z, clear
 * stash        nothing: the sums are exact, so shards need no tree
 * evaluate     forward at p
 * replay       p -= lr g z alone, with slopes that the host gives
 * </pre>
 *
 * <p>Ranks exchange 16 bytes per direction and 8 more: sums, token count and stop votes; all draw
 * the same z. Sums are exact ({@link dev.kindling.kernels.graph.op.AddLoss}), so micro-batches,
 * logical shards and ranks of any number give the slopes the same bits as one large batch, as long
 * as the rows of a forward pass have the same bits. Nothing is kept for a backward pass: what a
 * step needs beyond its weights is the activations of a layer, twice, and the largest weight,
 * twice.
 *
 * <p>A loss that is not finite skips the step on all ranks: every parameter keeps its bits.
 *
 * @param model with its vocabulary fixed
 * @param ranks of the data axis; each holds everything
 * @param seed of the run
 */
public record MezoStep(
    ModelFamily model, Projection projection, Mezo rule, StepShape shape, int ranks, long seed)
    implements TrainStep {
  /** Output of the step: the slopes along its directions. */
  public static final String PROJECTED = "out/projected";

  /** Inputs of the replay. */
  public static final String GIVEN = "in/projected";

  public static final String GIVEN_SCALE = "in/scale";

  /** A name with the number of a layer in it. */
  private static final Pattern LAYER = Pattern.compile("\\.\\d+\\.");

  private static final String LOSSES = "mezo/losses";

  @Override
  public Descent descent() {
    return rule;
  }

  @Override
  public Sharding sharding() {
    return new Sharding(0, ranks);
  }

  @Override
  public MezoStep with(StepShape other) {
    return new MezoStep(model, projection, rule, other, ranks, seed);
  }

  @Override
  public boolean keepsActivations() {
    return false;
  }

  @Override
  public List<StateVariable> state(Param param) {
    return rule.state(param);
  }

  @Override
  public List<String> outcome() {
    List<String> names = new ArrayList<>(TrainStep.super.outcome());
    names.add(PROJECTED);
    return names;
  }

  /** What has no master begins at bf16 numbers, on the CPU too. */
  @Override
  public FirstValues first(FirstValues values) {
    return (param, from, target) -> {
      values.fill(param, from, target);
      if (rule.rounds(param)) {
        for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
          target.putFloat(i, StochasticRounding.nearest(target.getFloat(i)));
        }
      }
    };
  }

  /** Sets the thresholds of masks, from the weights as they are. */
  @Override
  public void begin(Memory memory, List<Param> params) {
    for (Param param : params) {
      for (StateVariable threshold : state(param)) {
        float bound = MaskThreshold.of(memory, param, 1 - rule.sparsity());
        memory.span(threshold.name()).putFloat(0, bound);
        memory.publish(threshold.name());
        memory.release(threshold.name());
      }
    }
  }

  /**
   * Copies of a layer begin while the layer before computes. The update works on the host's memory
   * through the bus: 2 bytes an element there and 2 back, beside 2 there for each forward pass. To
   * apply it to the next step's copy instead would save 2 of these 6, and leave weights on the host
   * that lag one step behind for all who save, compare or evaluate them.
   */
  @Override
  public void host(GraphBuilder b) {
    if (!shape.saving().hostWeights()) {
      return;
    }
    Set<String> hosted =
        b.params().stream().filter(this::isHosted).map(Param::name).collect(Collectors.toSet());
    Set<Integer> contents =
        b.graph().contents().entrySet().stream()
            .filter(content -> hosted.contains(content.getValue().name()))
            .map(Map.Entry::getKey)
            .collect(Collectors.toSet());
    b.rewrite(new UploadsAhead(contents, Math.max(1, hosted.size() / model.layers())));
  }

  /** Matrices of layers without a master; the table and the head stay on the device. */
  public boolean isHosted(Param param) {
    return shape.saving().hostWeights()
        && param.shape().rank() == 2
        && LAYER.matcher(param.name()).find()
        && (!Mezo.moves(param) || rule.rounds(param));
  }

  @Override
  public Graph accumulate() {
    GraphBuilder b = new GraphBuilder();
    twoPoints(b);
    host(b);
    return b.build();
  }

  @Override
  public List<Graph> microSteps() {
    boolean last = shape.microSteps() == 1 && shape.levels() == 0;
    return last ? List.of() : List.of(accumulate());
  }

  @Override
  public Graph finish() {
    GraphBuilder b = new GraphBuilder();
    twoPoints(b);
    Value losses = losses(b);
    Value tokens = b.variable(scalar(Autodiff.TOKEN_COUNT));
    Value votes = b.variable(scalar(StepGraphs.STOP_VOTES));
    Value own = b.add(new ConcatRows(), losses, tokens, votes).get(0);
    Value all = ranks == 1 ? own : b.add(new AllGather(Axis.DATA, ranks, false), own).get(0);
    List<Value> slopes =
        b.add(new ProjectedGradient((float) rule.eps(), rule.directions(), ranks), all);
    update(b, slopes.get(0), slopes.get(1));
    b.output(StepGraphs.LOSS_SUM, slopes.get(2));
    b.output(StepGraphs.TOKEN_COUNT, slopes.get(3));
    b.output(StepGraphs.STOPS, slopes.get(5));
    b.output(StepGraphs.GRAD_NORM, slopes.get(4));
    b.output(StepGraphs.SCALE, slopes.get(1));
    b.output(PROJECTED, slopes.get(0));
    b.add(new Fill(0f), losses, tokens, votes);
    host(b);
    return b.build();
  }

  @Override
  public Graph stash(int level) {
    return new GraphBuilder().build();
  }

  @Override
  public Graph evaluate() {
    GraphBuilder b = new GraphBuilder();
    LossValues loss = forward(b, projection.evaluating());
    shape.saving().apply(b);
    b.output(StepGraphs.LOSS_SUM, loss.lossSum());
    b.output(StepGraphs.TOKEN_COUNT, loss.tokenCount());
    host(b);
    return b.build();
  }

  @Override
  public Graph spread() {
    return new GraphBuilder().build();
  }

  /** The update of a step whose slopes are known, with the step block of that step. */
  @Override
  public Optional<Graph> replay() {
    GraphBuilder b = new GraphBuilder();
    params().forEach(b::master);
    Value projected = b.input(GIVEN, Shape.of(rule.directions()), DType.F32);
    update(b, projected, b.input(GIVEN_SCALE, Shape.of(1), DType.F32));
    return Optional.of(b.build());
  }

  @Override
  public List<Graph> points() {
    List<Graph> graphs = new ArrayList<>();
    int directions = rule.objective().file().isPresent() ? rule.directions() : 0;
    for (int direction = 0; direction < directions; direction++) {
      graphs.add(PointPass.sentence(this, direction));
    }
    return graphs;
  }

  private void update(GraphBuilder b, Value projected, Value scale) {
    for (Param param : b.params()) {
      if (Mezo.moves(param)) {
        rule.update(b, param, seed, projected, scale);
      }
    }
  }

  private void twoPoints(GraphBuilder b) {
    GraphBuilder once = new GraphBuilder();
    forward(once, projection);
    once.fuse();
    shape.saving().apply(once);
    once.params().forEach(b::master);
    losses(b);
    b.variable(scalar(Autodiff.TOKEN_COUNT));
    b.variable(scalar(StepGraphs.STOP_VOTES));
    for (int direction = 0; direction < rule.directions(); direction++) {
      new TwoPoints(once, b, rule, seed, direction).write(MezoStep::tokens, this::losses);
    }
  }

  private LossValues forward(GraphBuilder b, Projection own) {
    own.declare(b, model);
    ModelInputs in =
        ModelInputs.declare(b, shape.microTokens(), shape.sequence(), shape.maskDocuments());
    Value targets = b.input(StepGraphs.TARGETS, Shape.of(shape.microTokens()), DType.I32);
    return b.crossEntropy(model.logits(b, in, own), targets);
  }

  /** Parameters as the projection lets them take part, in their order. */
  private List<Param> params() {
    GraphBuilder b = new GraphBuilder();
    forward(b, projection);
    return b.params();
  }

  /** The loss sums of this rank as they are now. */
  private Value losses(GraphBuilder b) {
    return b.variable(new Variable(LOSSES, ValueType.f32(4 * rule.directions()), Role.GRADIENT));
  }

  private static Value tokens(GraphBuilder b) {
    return b.variable(scalar(Autodiff.TOKEN_COUNT));
  }

  private static Variable scalar(String name) {
    return new Variable(name, ValueType.f32(1), Role.GRADIENT);
  }
}
