package dev.kindling.worker.shard;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.autodiff.Autodiff;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class GradientOrderTest {
  private static final int TOKENS = 64;

  private record Order(List<Param> params, GradientOrder order) {
    List<String> late() {
      return order.late().stream().map(place -> params.get(place).name()).toList();
    }

    List<String> tables() {
      return order.tables().stream().map(place -> params.get(place).name()).toList();
    }
  }

  private static Order order(long table, long product) {
    return order(table, product, TOKENS);
  }

  private static Order order(long table, long product, int tokens) {
    Optional<Integer> none = Optional.empty();
    ModelFamily model =
        new Llama(
            1024,
            2,
            16,
            none,
            none,
            Optional.of(1536),
            Optional.of(40),
            32,
            false,
            0.02,
            1e4,
            1e-5);
    GraphBuilder b = new GraphBuilder();
    Value targets = b.input("targets", Shape.of(tokens), DType.I32);
    ModelInputs in = ModelInputs.declare(b, tokens, 32, false);
    Value loss = b.crossEntropy(model.logits(b, in, new Full()), targets).lossSum();
    Map<Param, Value> gradients = Autodiff.gradients(b, loss);
    List<Value> values = List.copyOf(gradients.values());
    return new Order(
        List.copyOf(gradients.keySet()),
        GradientOrder.hiding(b, values, place -> place == 0 ? table : product, 8 * MIB));
  }

  private static final long MIB = 1 << 20;

  /** Four products of 16 x 16 over 64 tokens never hide 8 MiB: the bytes bound them. */
  @Test
  void productsWaitUpToHalfOfTheBytesOfTheTableAndThoseOfOneInputTogether() {
    Order few = order(8 * MIB, MIB);
    assertThat(few.tables()).containsExactly("model.embed_tokens.weight");
    assertThat(few.late())
        .containsExactly(
            "model.layers.0.self_attn.o_proj.weight",
            "model.layers.0.self_attn.v_proj.weight",
            "model.layers.0.self_attn.k_proj.weight",
            "model.layers.0.self_attn.q_proj.weight");
    // Gate and up read one activation: 6 would be more than half of 10.
    assertThat(order(10 * MIB, MIB).late()).isEqualTo(few.late());
    assertThat(order(12 * MIB, MIB).late()).hasSize(6);
    assertThat(order(8 * MIB, 2 * MIB).late()).isEmpty();
  }

  @Test
  void noMoreWaitThanHideTheTable() {
    Order order = order(8 * MIB, 1, 1 << 14);
    assertThat(order.late()).hasSize(3).allMatch(name -> name.startsWith("model.layers.0.self"));
  }

  @Test
  void everyGradientTravelsOnceAndTheRestLastDeclaredFirst() {
    GradientOrder order = order(8 * MIB, MIB).order();
    List<Integer> all =
        Stream.of(order.early(), order.tables(), order.late()).flatMap(List::stream).toList();
    assertThat(all).doesNotHaveDuplicates();
    assertThat(all)
        .containsExactlyInAnyOrderElementsOf(IntStream.range(0, all.size()).boxed().toList());
    assertThat(order.early()).isSortedAccordingTo(Comparator.reverseOrder());
  }

  @Test
  void smallTablesTravelWithTheRest() {
    GradientOrder small = order(8 * MIB - 1, 1).order();
    assertThat(small).isEqualTo(GradientOrder.plain(small.early().size()));
    assertThat(GradientOrder.plain(3).early()).containsExactly(2, 1, 0);
  }
}
