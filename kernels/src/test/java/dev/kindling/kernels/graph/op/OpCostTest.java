package dev.kindling.kernels.graph.op;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Columns;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.OuterScalar;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What operations say they cost, against counting by hand or by loops. */
class OpCostTest {
  private static final int T = 6;
  private static final int K = 13;
  private static final int N = 5;
  private static final ValueType X = ValueType.f32(T, K);
  private static final ValueType Y = ValueType.f32(T, N);

  @Test
  void productsMultiplyAndAddOncePerTriple() {
    long triples = 0;
    for (int t = 0; t < T; t++) {
      for (int k = 0; k < K; k++) {
        for (int n = 0; n < N; n++) {
          triples++;
        }
      }
    }
    for (WeightLayout layout : WeightLayout.values()) {
      ValueType w = layout == WeightLayout.OUT_IN ? ValueType.f32(N, K) : ValueType.f32(K, N);
      assertCost(new Linear(layout, false), 2 * triples, 4 * (78 + 65 + 30), X, w);
      assertCost(
          new Linear(layout, true), 2 * triples, 4 * (78 + 65 + 5 + 30), X, w, ValueType.f32(N));
      assertCost(new LinearInputGradient(layout, false), 2 * triples, 4 * (30 + 65 + 78), Y, w);
      assertCost(
          new LinearInputGradient(layout, true), 2 * triples, 4 * (30 + 65 + 2 * 78), Y, w, X);
      assertCost(new LinearWeightGradient(layout, false), 2 * triples, 4 * (78 + 30 + 65), X, Y);
      assertCost(
          new LinearWeightGradient(layout, true), 2 * triples, 4 * (78 + 30 + 2 * 65), X, Y, w);
    }
  }

  /** Two products per visible pair and channel forward, five backward. */
  @Test
  void attentionCountsVisiblePairs() {
    AttentionShape shape = new AttentionShape(4, 2, 8, 3);
    long channels = 0;
    for (int sequence = 0; sequence < 2; sequence++) {
      for (int i = 0; i < 3; i++) {
        for (int j = 0; j <= i; j++) {
          channels += 4 * 8;
        }
      }
    }
    ValueType q = ValueType.f32(6, 32);
    ValueType k = ValueType.f32(6, 16);
    ValueType lse = ValueType.f32(8, 3);
    long forwardBytes = 4 * (192 + 96 + 96 + 192 + 24);
    assertCost(new Attention(shape, false), 2 * 2 * channels, forwardBytes, q, k, k);
    assertCost(
        new AttentionGradient(shape, false),
        5 * 2 * channels,
        4 * (192 + 96 + 96 + 192 + 24 + 192 + 192 + 96 + 96),
        q,
        k,
        k,
        q,
        lse,
        q);
  }

  /** Two products of each query head with every row of its sequence in a full cache. */
  @Test
  void cachedAttentionCountsAFullCache() {
    ValueType q = ValueType.f32(2, 32);
    ValueType cache = ValueType.f32(2 * 3, 16);
    long channels = 2 * 4 * 8 * 3;
    assertCost(
        new CachedAttention(new AttentionShape(4, 2, 8, 3)),
        2 * 2 * channels,
        4 * (64 + 96 + 96 + 2 + 64),
        q,
        cache,
        cache,
        ValueType.i32(2));
    assertCost(
        new WriteRows(), 0, 4 * (32 + 32 + 2), ValueType.f32(2, 16), cache, ValueType.i32(2));
  }

  @Test
  void aWindowHidesPairs() {
    for (int window = 0; window < 10; window++) {
      AttentionShape shape = new AttentionShape(4, 2, 8, 7, window);
      long pairs = 0;
      for (int i = 0; i < 7; i++) {
        int first = i;
        while (first > 0 && (window == 0 || i - first + 1 < window)) {
          first--;
        }
        assertThat(shape.firstKey(i)).as("query %d window %d", i, window).isEqualTo(first);
        pairs += i - first + 1;
      }
      assertThat(shape.pairs()).as("window %d", window).isEqualTo(pairs);
      List<ValueType> inputs =
          List.of(ValueType.f32(14, 32), ValueType.f32(14, 16), ValueType.f32(14, 16));
      long channels = 2 * 2 * pairs * 4 * 8;
      assertThat(new Attention(shape, false).flops(inputs)).isEqualTo(2 * channels);
      assertThat(new AttentionGradient(shape, false).flops(inputs)).isEqualTo(5 * channels);
    }
  }

  @Test
  void tablesTouchOnlyTheRowsOfTheirTokens() {
    ValueType table = ValueType.f32(1000, 4);
    ValueType ids = ValueType.i32(T);
    ValueType dy = ValueType.f32(T, 4);
    assertCost(new Embedding(), 0, 4 * (24 + 24 + 6), table, ids);
    assertCost(new EmbeddingGradient(1000, true), 0, 4 * (3 * 24 + 6), dy, ids, table);
    assertCost(new EmbeddingGradient(1000, false), 0, 4 * (3 * 24 + 6 + 4000), dy, ids);
    assertCost(new GatherColumns(new Columns(List.of(12, 0))), 0, 4 * 2 * 12, X);
  }

  @Test
  void elementwiseOperationsReadAndWriteEachElementOnce() {
    ValueType one = ValueType.f32(1);
    ValueType step = ValueType.f32(StepScalar.values().length);
    int steps = StepScalar.values().length;
    assertCost(new Add(), 0, 4 * 3 * 78, X, X);
    assertCost(new Accumulate(), 0, 4 * 3 * 78, X, X);
    assertCost(new Copy(), 0, 4 * 2 * 78, X, X);
    assertCost(new Fill(0), 0, 4 * 78, X);
    assertCost(new SwiGlu(), 0, 4 * 3 * 78, X, X);
    assertCost(
        new AdamW(0.9f, 0.95f, 1e-8f, 0), 0, 4L * (7 * 78 + 1 + steps), X, X, X, X, one, step);
    assertCost(new SliceRows(1, 2), 0, 4 * 2 * 2 * K, X);
    assertCost(new ConcatRows(), 0, 4 * 2 * 2 * 78, X, X);
    assertCost(new RmsNorm(1e-5f), 0, 4 * (78 + K + 78 + T), X, ValueType.f32(K));
    assertCost(new CrossEntropy(), 0, 4 * (78 + 6 + 1 + 1), X, ValueType.i32(T));
  }

  @Test
  void collectivesReadAndWriteMemoryOfTheirOwnRank() {
    assertCost(new AllGather(Axis.DATA, 3, false), 0, 4 * (78 + 3 * 78), X);
    ValueType whole = ValueType.f32(3 * T, K);
    assertCost(new AllGather(Axis.DATA, 3, true), 0, 4 * (78 + 3 * 78), X, whole);
    assertCost(new ReduceScatter(Axis.DATA, 3), 0, 4 * (3 * 78 + 78), whole);
    Optional<Shape> flat = Optional.of(Shape.of(3, T, K));
    ValueType piece = ValueType.f32(T * K);
    assertCost(new AllGather(Axis.DATA, 3, false, flat), 0, 4 * (78 + 3 * 78), piece);
    assertCost(new ReduceScatter(Axis.DATA, 3, true), 0, 4 * (3 * 78 + 78), whole);
    assertCost(new AllReduce(Axis.DATA), 0, 4 * (2 * 78 + 2 * 30), X, Y);
  }

  @Test
  void aGraphCostsTheSumOfItsNodes() {
    GraphBuilder builder = new GraphBuilder();
    Value x = builder.variable(new Variable("x", X, Role.INPUT));
    Value w = builder.variable(new Variable("w", ValueType.f32(K, K), Role.PARAMETER));
    builder.linear(builder.gelu(builder.linear(x, w)), w);
    Graph graph = builder.build();
    assertThat(graph.flops()).isEqualTo(2L * 2 * T * K * K);
    assertThat(graph.bytes()).isEqualTo(4L * (2 * (78 + 169 + 78) + 2 * 78));
  }

  @Test
  void everyOperationMovesBytesAndOnlyProductsHaveFlops() {
    for (OpCase line : OpCases.all()) {
      Op op = line.op();
      assertThat(op.bytes(line.types())).as(line.name()).isPositive();
      boolean product =
          op instanceof Linear
              || op instanceof LinearOnto
              || op instanceof MaskedWeight
              || op instanceof RowNorms
              || op instanceof LinearInputGradient
              || op instanceof LinearWeightGradient
              || op instanceof Attention
              || op instanceof AttentionGradient
              || op instanceof CachedAttention
              || op instanceof Project
              || op instanceof Sketch;
      assertThat(op.flops(line.types()) > 0).as(line.name()).isEqualTo(product);
    }
  }

  /** Arrays that a kernel reads and writes, 4 bytes an element, block and gain. */
  @Test
  void outerStepsReadNoMoreThanTheyUse() {
    ValueType block = ValueType.f32(OuterScalar.values().length);
    ValueType one = ValueType.f32(1);
    long scalars = 4L * (OuterScalar.values().length + 1);
    assertCost(new Depart(), 0, 3 * 4 * 78, X, X, X);
    assertCost(new OuterUpdate(Merge.FRESH, true), 0, scalars + 6 * 4 * 78, X, X, X, X, block, one);
    assertCost(new OuterUpdate(Merge.STALE, true), 0, scalars + 8 * 4 * 78, X, X, X, X, block, one);
    assertCost(
        new OuterUpdate(Merge.OWN, true), 0, scalars + 10 * 4 * 78, X, X, X, X, X, block, one);
  }

  private static void assertCost(Op op, long flops, long bytes, ValueType... inputs) {
    assertThat(op.flops(List.of(inputs))).as("flops of %s", op).isEqualTo(flops);
    assertThat(op.bytes(List.of(inputs))).as("bytes of %s", op).isEqualTo(bytes);
  }
}
