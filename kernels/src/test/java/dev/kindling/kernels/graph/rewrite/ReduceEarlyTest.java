package dev.kindling.kernels.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Accumulate;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.ReduceScatter;
import dev.kindling.kernels.graph.op.WeightLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReduceEarlyTest {
  private static final ValueType TYPE = ValueType.f32(8);
  private static final ValueType MATRIX = ValueType.f32(4, 4);

  private final GraphBuilder builder = new GraphBuilder();

  private Value variable(String name) {
    return builder.variable(new Variable(name, TYPE, Role.GRADIENT));
  }

  private Value sum(String name) {
    return builder.add(new Accumulate(), variable(name), variable("x")).get(0);
  }

  private List<Class<?>> ops() {
    return builder.nodes().stream().<Class<?>>map(node -> node.op().getClass()).toList();
  }

  @Test
  void collectivesStandBehindTheLastOfTheirInputs() {
    Value late = sum("late");
    Value middle = sum("middle");
    Value early = sum("early");
    List<Value> both = builder.add(new AllReduce(Axis.DATA), late, middle);
    Value piece = builder.add(new ReduceScatter(Axis.DATA, 2), early).get(0);
    builder.add(new GlobalNorm(false), both.get(0), both.get(1), piece);
    builder.add(new Fill(0), both.get(0), early);
    builder.rewrite(new ReduceEarly());
    assertThat(ops())
        .containsExactly(
            Accumulate.class,
            Accumulate.class,
            AllReduce.class,
            Accumulate.class,
            ReduceScatter.class,
            GlobalNorm.class,
            Fill.class);
  }

  @Test
  void oneThatReadsOnlyContentsStaysAndItsReaderFollowsIt() {
    Value own = variable("own");
    Value late = sum("late");
    Op reduce = new AllReduce(Axis.DATA);
    Value first = builder.add(reduce, own).get(0);
    builder.add(reduce, builder.add(new Accumulate(), late, first).get(0));
    builder.rewrite(new ReduceEarly());
    assertThat(ops())
        .containsExactly(Accumulate.class, AllReduce.class, Accumulate.class, AllReduce.class);
  }

  private Value product(String name, Value x, Value dy) {
    Value content = builder.variable(new Variable(name, MATRIX, Role.GRADIENT));
    return builder.add(new LinearWeightGradient(WeightLayout.OUT_IN, true), x, dy, content).get(0);
  }

  @Test
  void reductionsKeepTheirOrderAndProductsForALaterOneFollowTheEarlierOne() {
    Value x = builder.variable(new Variable("rows", MATRIX, Role.INPUT));
    Value alone = product("alone", x, x);
    Value other = product("other", x, x);
    Value table = sum("table");
    Op reduce = new AllReduce(Axis.DATA);
    Value first = builder.add(reduce, table).get(0);
    List<Value> second = builder.add(reduce, alone, other);
    builder.add(new GlobalNorm(false), first, second.get(0), second.get(1));
    builder.rewrite(new ReduceEarly());
    assertThat(ops())
        .containsExactly(
            Accumulate.class,
            AllReduce.class,
            LinearWeightGradient.class,
            LinearWeightGradient.class,
            AllReduce.class,
            GlobalNorm.class);
    assertThat(builder.nodes().get(1).inputs()).containsExactly(table);
  }

  @Test
  void aProductThatSomebodyElseReadsStaysWhereItIs() {
    Value x = builder.variable(new Variable("rows", MATRIX, Role.INPUT));
    Value read = product("read", x, x);
    Value copy = builder.variable(new Variable("copy", MATRIX, Role.OUTPUT));
    builder.add(new Copy(), read, copy);
    Value table = sum("table");
    builder.add(new AllReduce(Axis.DATA), table);
    builder.add(new AllReduce(Axis.DATA), read);
    builder.rewrite(new ReduceEarly());
    assertThat(ops())
        .containsExactly(
            LinearWeightGradient.class,
            Copy.class,
            Accumulate.class,
            AllReduce.class,
            AllReduce.class);
  }

  @Test
  void aProductStaysIfWhatItReadsIsOverwrittenMeanwhile() {
    Value rows = builder.variable(new Variable("rows", MATRIX, Role.INPUT));
    Value made = product("made", rows, rows);
    builder.add(new Fill(0), rows);
    Value table = sum("table");
    builder.add(new AllReduce(Axis.DATA), table);
    builder.add(new AllReduce(Axis.DATA), made);
    builder.rewrite(new ReduceEarly());
    assertThat(ops())
        .containsExactly(
            LinearWeightGradient.class,
            Fill.class,
            Accumulate.class,
            AllReduce.class,
            AllReduce.class);
  }
}
