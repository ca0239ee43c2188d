package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.LayoutCheck;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.backend.cuda.layout.Timetable;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.memory.MemoryPlan;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.UpdateRule;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.shard.Sharding;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What sharded graphs hold, exchange and need, counted without running them. */
class ShardedGraphsTest {
  private static final UpdateRule ADAMW = new AdamW(0.01, 0.9, 0.95, 1e-8, 0.1, 1.0);
  private static final int LAYERS = 6;

  private static Llama llama(int width, int layers, int vocabulary, boolean tied) {
    return new Llama(
        width,
        layers,
        width / 32,
        Optional.of(width / 64),
        Optional.empty(),
        Optional.empty(),
        Optional.of(vocabulary),
        64,
        tied,
        0.02,
        10000,
        1e-5);
  }

  private static ModelFamily gpt2() {
    return new Gpt2(64, LAYERS, 2, Optional.empty(), Optional.of(97), 64, true, 0.02, 1e-5);
  }

  private static StepGraphs graphs(ModelFamily model, Sharding sharding) {
    return new StepGraphs(model, new Full(), ADAMW, new StepShape(64, 32, false, 1), sharding);
  }

  /** Of one micro-step, with gradients that a GPU may narrow. */
  private static StepGraphs narrow(StepGraphs graphs) {
    return graphs.with(new StepShape(64, 32, false, 1, 1)).withNarrowGradients();
  }

  private static List<Graph> programs(StepGraphs graphs) {
    return List.of(graphs.accumulate(), graphs.finish(), graphs.evaluate(), graphs.spread());
  }

  private static Map<String, Variable> variables(StepGraphs graphs) {
    Map<String, Variable> all = new TreeMap<>();
    programs(graphs).forEach(graph -> graph.variables().forEach(v -> all.put(v.name(), v)));
    return all;
  }

  private static long bytes(StepGraphs graphs, Role role) {
    return variables(graphs).values().stream()
        .filter(variable -> variable.role() == role)
        .mapToLong(variable -> variable.type().bytes())
        .sum();
  }

  /** On a GPU: working copies in bf16, and a bf16 copy of every whole master. */
  private static double bytesPerParameter(StepGraphs graphs) {
    double bytes =
        1.5 * bytes(graphs, Role.PARAMETER)
            + bytes(graphs, Role.SHARD)
            + 0.5 * bytes(graphs, Role.WORKING)
            + bytes(graphs, Role.GRADIENT)
            + 0.5 * bytes(graphs, Role.FRESH_GRADIENT)
            + bytes(graphs, Role.STATE);
    return bytes / graphs.model().parameterCount();
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4, 8})
  void modelStateIsWithinTwoPercentOfTheFormula(int ranks) {
    double[] formula = {18, 6 + 12.0 / ranks, 2 + 16.0 / ranks, 16.0 / ranks};
    // Stages 2 and 3 add pieces in fp32 and stay as they are.
    double[] once = {16, 4 + 12.0 / ranks, formula[2], formula[3]};
    // Odd vocabularies: rows do not divide, elements do.
    ModelFamily small =
        new Gpt2(768, 12, 12, Optional.empty(), Optional.of(50257), 1024, true, 0.02, 1e-5);
    for (ModelFamily model : List.of(small, llama(2048, 16, 32001, false))) {
      for (int stage = 0; stage < formula.length; stage++) {
        StepGraphs graphs = graphs(model, new Sharding(stage, ranks));
        assertThat(bytesPerParameter(graphs))
            .as("stage %d of %s", stage, model)
            .isCloseTo(formula[stage], within(0.02 * formula[stage]));
        assertThat(bytesPerParameter(narrow(graphs)))
            .as("stage %d of %s, one micro-step", stage, model)
            .isCloseTo(once[stage], within(0.02 * once[stage]));
      }
    }
  }

  @Test
  void everyLaterStageNeedsLessMemory() {
    // Few tokens and an ordinary vocabulary: weights count, not activations.
    ModelFamily model = llama(128, 12, 97, true);
    long before = Long.MAX_VALUE;
    for (int stage = 0; stage < 4; stage++) {
      StepGraphs graphs = graphs(model, new Sharding(stage, 2));
      long need = MemoryPlan.of(graphs.finish()).totalBytes();
      for (Role role : Role.values()) {
        need += role == Role.WORKING ? bytes(graphs, role) / 2 : bytes(graphs, role);
      }
      assertThat(need).as("stage %d", stage).isLessThan(before);
      before = need;
    }
  }

  @Test
  void gatheredWeightsOfStageThreeDieLayerByLayer() {
    Sharding sharding = new Sharding(3, 2);
    long shallow = MemoryPlan.of(graphs(llama(128, 4, 97, true), sharding).finish()).totalBytes();
    long deep = MemoryPlan.of(graphs(llama(128, 12, 97, true), sharding).finish()).totalBytes();
    ModelFamily layer = llama(128, 1, 97, true);
    long activations =
        (MemoryPlan.of(graphs(llama(128, 12, 97, true), Sharding.none()).finish()).totalBytes()
                - MemoryPlan.of(graphs(llama(128, 4, 97, true), Sharding.none()).finish())
                    .totalBytes())
            / 8;
    // Eight more layers cost their activations and less than one layer of weights.
    assertThat(deep - shallow - 8 * activations).isLessThan(4 * layer.parameterCount());
  }

  @Test
  void layoutsComputeEveryProgramOfEveryStage() {
    for (ModelFamily model : List.of(llama(64, LAYERS, 97, true), gpt2())) {
      for (int stage = 0; stage < 4; stage++) {
        StepGraphs adding = graphs(model, new Sharding(stage, 2, 4096));
        List<Graph> all = new ArrayList<>(programs(adding));
        all.add(narrow(adding).finish());
        for (Graph graph : all) {
          for (Precision precision : Precision.values()) {
            LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.ALL));
            LayoutCheck.check(graph, Layout.of(graph, precision, GroupRules.NONE));
          }
        }
      }
    }
  }

  @Test
  void workingCopiesAreStoredInBf16AndStillPacked() {
    for (int stage : new int[] {1, 2}) {
      Graph evaluate = graphs(llama(64, LAYERS, 97, true), new Sharding(stage, 2)).evaluate();
      Layout layout = Layout.of(evaluate, Precision.BF16, GroupRules.ALL);
      long packed =
          layout.groups().stream().filter(group -> group.kind() == Group.Kind.LINEAR).count();
      assertThat(packed).isEqualTo(2 * LAYERS);
      evaluate
          .contents()
          .forEach(
              (id, variable) -> {
                if (variable.role() == Role.WORKING) {
                  assertThat(layout.stored().get(id).element().bytes()).isEqualTo(2);
                }
              });
    }
  }

  @Test
  void stageThreeGathersInBf16() {
    Graph finish = graphs(llama(64, LAYERS, 97, true), new Sharding(3, 2)).finish();
    Layout layout = Layout.of(finish, Precision.BF16, GroupRules.ALL);
    for (Node node : finish.nodes()) {
      boolean weight = node.op() instanceof AllGather && node.output(0).shape().rank() == 2;
      if (weight) {
        assertThat(layout.stored(node.output(0)).element().bytes()).isEqualTo(2);
        assertThat(layout.stored(node.input(0)).element().bytes()).isEqualTo(4);
      }
    }
  }

  /** Matrices of a layer: 7; the tied table is read by the embedding and by the head. */
  @ParameterizedTest
  @CsvSource({
    // stage, gathers of accumulate, scatters of accumulate, gathers of finish, scatters of finish
    "0, 0, 0, 0, 0",
    "1, 0, 0, 44, 43",
    "2, 0, 44, 44, 44",
    // Not again: the head in a row, and the embedding, whose gradient does not read the table.
    "3, 86, 44, 87, 44"
  })
  void collectivesOfEachStage(int stage, int gathers, int scatters, int last, int lastScatters) {
    StepGraphs graphs = graphs(llama(64, LAYERS, 96, true), new Sharding(stage, 2));
    assertThat(count(graphs.accumulate(), AllGather.class)).isEqualTo(gathers);
    assertThat(count(graphs.accumulate(), ReduceScatter.class)).isEqualTo(scatters);
    // One more gather: the norms of the pieces.
    assertThat(count(graphs.finish(), AllGather.class)).isEqualTo(last);
    assertThat(count(graphs.finish(), ReduceScatter.class)).isEqualTo(lastScatters);
    assertThat(count(graphs.accumulate(), AllReduce.class)).isZero();
    assertThat(count(graphs.finish(), AllReduce.class)).isEqualTo(1);
  }

  private static long count(Graph graph, Class<?> op) {
    return graph.nodes().stream().filter(node -> op.isInstance(node.op())).count();
  }

  @Test
  void bucketsAreReducedWhileBackwardGoesOnAndTheScalarsComeLast() {
    StepGraphs graphs = graphs(llama(64, LAYERS, 97, true), new Sharding(0, 2, 64 << 10));
    Graph finish = graphs.finish();
    List<Node> reduces =
        finish.nodes().stream().filter(node -> node.op() instanceof AllReduce).toList();
    assertThat(reduces).hasSizeGreaterThan(3);
    int products =
        (int)
            finish.nodes().stream()
                .filter(node -> node.index() > reduces.get(0).index() && node.flops() > 0)
                .count();
    assertThat(products).isGreaterThan(LAYERS * 7);
    assertThat(reduces.stream().mapToLong(node -> node.inputs().size()).sum())
        .isEqualTo(finish.params().size() + 3);
    Node last = reduces.get(reduces.size() - 1);
    List<Integer> sizes =
        last.inputs().stream().map(value -> (int) value.shape().elements()).toList();
    assertThat(sizes.subList(sizes.size() - 3, sizes.size())).containsOnly(1);
    // The last three: what is left before the table, the table, what was made behind it.
    for (Node reduce : reduces.subList(0, reduces.size() - 3)) {
      long bytes = reduce.inputs().stream().mapToLong(value -> value.type().bytes()).sum();
      assertThat(bytes).isGreaterThanOrEqualTo(64 << 10);
    }
  }

  @Test
  void aBucketOfNarrowGradientsHoldsTwiceTheElements() {
    StepGraphs wide = graphs(llama(64, LAYERS, 97, true), new Sharding(0, 2, 64 << 10));
    long bf16 = count(narrow(wide).finish(), AllReduce.class);
    assertThat(bf16).isGreaterThan(2).isLessThan(count(wide.finish(), AllReduce.class));
  }

  @Test
  void aPieceOfANarrowGradientIsNarrowOnTheWireInTheNormAndInTheUpdate() {
    StepGraphs graphs = narrow(graphs(llama(64, LAYERS, 96, true), new Sharding(1, 2)));
    Graph finish = graphs.finish();
    Layout layout = Layout.of(finish, Precision.BF16, GroupRules.ALL);
    int scatters = 0;
    for (Node node : finish.nodes()) {
      if (node.op() instanceof ReduceScatter) {
        scatters++;
        assertThat(layout.stored(node.input(0)).element()).isEqualTo(Element.BF16);
        assertThat(layout.stored(node.output(0)).element()).isEqualTo(Element.BF16);
      }
    }
    assertThat(scatters).isGreaterThan(7 * LAYERS);
  }

  /** Products that run while a collective of the kind is under way, at least, but for the last. */
  private static List<Integer> productsUnderWay(Graph graph, Class<?> op) {
    Layout layout = Layout.of(graph, Precision.BF16, GroupRules.ALL);
    List<Timetable.Entry> entries = layout.timetable().entries();
    List<Integer> products = new ArrayList<>();
    for (int i = 0; i < entries.size(); i++) {
      Timetable.Entry issue = entries.get(i);
      if (issue.what() == Timetable.What.ISSUE
          && layout.groups().subList(issue.first(), issue.last() + 1).stream()
              .anyMatch(group -> op.isInstance(group.last().op()))) {
        products.add(productsUntilJoin(layout, entries.subList(i + 1, entries.size()), issue));
      }
    }
    return products;
  }

  private static int productsUntilJoin(
      Layout layout, List<Timetable.Entry> entries, Timetable.Entry issue) {
    int products = 0;
    for (Timetable.Entry entry : entries) {
      // The lane keeps its order: waiting for a later one waits for this one too.
      if (entry.what() == Timetable.What.JOIN && entry.first() >= issue.first()) {
        break;
      }
      Group group = layout.groups().get(entry.first());
      boolean runs = entry.what() == Timetable.What.RUN;
      products += runs && group.nodes().stream().anyMatch(node -> node.flops() > 0) ? 1 : 0;
    }
    return products;
  }

  @Test
  void gathersAndScattersAreUnderWayWhileProductsRun() {
    ModelFamily model = llama(64, LAYERS, 96, true);
    for (int stage : new int[] {2, 3}) {
      Graph accumulate = graphs(model, new Sharding(stage, 2)).accumulate();
      List<Integer> scatters = productsUnderWay(accumulate, ReduceScatter.class);
      // Those of the last layer have nothing behind them.
      assertThat(scatters.stream().filter(products -> products >= 1).count())
          .as("stage %d: %s", stage, scatters)
          .isGreaterThanOrEqualTo(scatters.size() - 8);
    }
    Graph accumulate = graphs(model, new Sharding(3, 2)).accumulate();
    List<Integer> gathers = productsUnderWay(accumulate, AllGather.class);
    // One call for each batch; the first two are waited for at once.
    assertThat(gathers).hasSizeBetween(2 * LAYERS, 2 * LAYERS + 4);
    assertThat(gathers.stream().filter(products -> products >= 5).count())
        .as("%s", gathers)
        .isGreaterThanOrEqualTo(gathers.size() - 4);
  }

  @Test
  void exactModeAndAWorldOfOneReduceOnce() {
    ModelFamily model = llama(64, LAYERS, 97, true);
    StepShape exact = new StepShape(64, 32, false, 4);
    Sharding two = new Sharding(0, 2, 64 << 10);
    Graph tree = new StepGraphs(model, new Full(), ADAMW, exact, two).finish();
    assertThat(count(tree, AllReduce.class)).isEqualTo(1);
    assertThat(count(graphs(model, new Sharding(0, 1, 64 << 10)).finish(), AllReduce.class))
        .isEqualTo(1);
  }

  @Test
  void theTrafficOfEachStageIsThatOfTheTextbook() {
    ModelFamily model = llama(64, LAYERS, 96, false);
    long[] sent = new long[4];
    for (int stage = 0; stage < 4; stage++) {
      sent[stage] = StepStages.of(graphs(model, new Sharding(stage, 2)), 1).sentBytes();
    }
    double matrices = 4.0 * model.parameterCount();
    // Halves: of two ranks each sends half of what is gathered or scattered.
    assertThat(sent[0] / matrices).isCloseTo(1.0, within(0.01));
    assertThat(sent[1] / matrices).isCloseTo(1.0, within(0.01));
    assertThat(sent[2] / matrices).isCloseTo(1.0, within(0.01));
    assertThat(sent[3] / matrices).isBetween(1.4, 1.5);
  }
}
