package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.Copy;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import dev.kindling.kernels.graph.op.WeightLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ElementsTest {
  private final GraphBuilder builder = new GraphBuilder();
  private final Value x = input("x", 8, 16);
  private final Value dy = input("dy", 8, 32);

  private Value input(String name, int... dims) {
    return builder.variable(new Variable(name, ValueType.f32(dims), Role.INPUT));
  }

  private Value product(Value... inputs) {
    boolean adds = inputs.length == 3;
    return builder.add(new LinearWeightGradient(WeightLayout.OUT_IN, adds), inputs).get(0);
  }

  private Element of(Value value, Precision precision) {
    return Elements.of(builder.build(), precision).get(value.id());
  }

  @Test
  void aGradientThatOneProductCompletesAndUpdatesReadIsNarrow() {
    Value gradient = product(x, dy);
    builder.add(new GlobalNorm(false), gradient);
    assertThat(of(gradient, Precision.BF16)).isEqualTo(Element.BF16);
    assertThat(of(gradient, Precision.FP32)).isEqualTo(Element.F32);
  }

  @Test
  void aSumOfSeveralProductsIsWide() {
    Value first = product(x, dy);
    Value both = product(x, dy, first);
    builder.add(new GlobalNorm(false), both);
    assertThat(of(first, Precision.BF16)).isEqualTo(Element.F32);
    assertThat(of(both, Precision.BF16)).isEqualTo(Element.F32);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theSumOverRanksIsAsNarrowUnlessSomethingElseReadsIt(boolean inPlace) {
    Value gradient = product(x, dy);
    Value sum = builder.add(new AllReduce(Axis.DATA, inPlace), gradient).get(0);
    builder.add(new GlobalNorm(false), sum);
    assertThat(of(gradient, Precision.BF16)).isEqualTo(Element.BF16);
    assertThat(of(sum, Precision.BF16)).isEqualTo(Element.BF16);
    assertThat(builder.build().narrowable()).contains(gradient.id(), sum.id());
    builder.add(new Copy(), sum, input("kept", 32, 16));
    assertThat(of(gradient, Precision.BF16)).isEqualTo(Element.F32);
    assertThat(of(sum, Precision.BF16)).isEqualTo(Element.F32);
    assertThat(builder.build().narrowable()).doesNotContain(gradient.id(), sum.id());
  }

  @Test
  void whatSomethingElseReadsTooIsWide() {
    Value gradient = product(x, dy);
    builder.add(new GlobalNorm(false), gradient);
    builder.add(new Copy(), gradient, input("kept", 32, 16));
    assertThat(of(gradient, Precision.BF16)).isEqualTo(Element.F32);
  }
}
