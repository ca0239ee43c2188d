package dev.kindling.worker.prune;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Qwen2;
import dev.kindling.worker.model.Weight;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Smaller models and the way back of what was trained on them. */
class ShrinkingTest {
  private static final int WIDTH = 16;
  private static final int HEAD = 4;

  private static final ModelFamily QWEN =
      new Qwen2(
          WIDTH,
          2,
          8,
          Optional.of(4),
          Optional.of(HEAD),
          Optional.of(24),
          Optional.of(11),
          8,
          true,
          0.4,
          1e4,
          Optional.empty(),
          1e-5,
          Optional.empty());

  private static final FirstValues DENSE =
      (param, from, target) -> {
        // Biases begin at zero, which would tell nothing.
        Param drawn =
            new Param(param.name(), param.shape(), Demand.none(), Init.normal(0.5), param.decay());
        Initialization.fill(drawn, 13, from, target);
      };

  private static float[] read(FirstValues values, Param param) {
    try (Span span = Span.allocate(param.type().bytes())) {
      values.fill(param, 0, span);
      return span.toFloats();
    }
  }

  private static Kept kept(Criterion criterion) {
    return new Shrinking(criterion, 0.5, 3).choose(QWEN, DENSE, "base");
  }

  private static ModelFamily smaller(Kept kept) {
    byte[] text = QWEN.huggingFaceConfig().getBytes(StandardCharsets.UTF_8);
    Json.Obj config = JsonReader.read(text, "config.json").asObject("it");
    return ModelFamily.ofHuggingFace(Shrinking.config(config, kept));
  }

  private static Param param(ModelFamily model, String name) {
    return model.parameters().stream().filter(p -> p.name().equals(name)).findFirst().orElseThrow();
  }

  @ParameterizedTest
  @EnumSource(
      value = Criterion.class,
      names = {"MAGNITUDE", "RANDOM"})
  void groupsAndChannelsAreTakenOutWhole(Criterion criterion) {
    Kept kept = kept(criterion);
    assertThat(kept.smaller()).isEqualTo(new Kept.Sizes(4, 2, HEAD, 16));
    ModelFamily small = smaller(kept);
    FirstValues values = Shrinking.values(QWEN, DENSE, kept);
    for (int layer = 0; layer < 2; layer++) {
      String name = "model.layers." + layer + ".";
      List<Integer> groups = kept.layers().get(layer).groups();
      for (int head = 0; head < 4; head++) {
        int whole = groups.get(head / 2) * 2 + head % 2;
        rows(small, values, name + "self_attn.q_proj.weight", head * HEAD, whole * HEAD, HEAD);
        rows(small, values, name + "self_attn.q_proj.bias", head * HEAD, whole * HEAD, HEAD);
        columns(small, values, name + "self_attn.o_proj.weight", head * HEAD, whole * HEAD, HEAD);
      }
      for (int group = 0; group < 2; group++) {
        int whole = groups.get(group) * HEAD;
        rows(small, values, name + "self_attn.k_proj.weight", group * HEAD, whole, HEAD);
        rows(small, values, name + "self_attn.v_proj.bias", group * HEAD, whole, HEAD);
      }
      List<Integer> channels = kept.layers().get(layer).channels();
      for (int channel = 0; channel < channels.size(); channel++) {
        rows(small, values, name + "mlp.gate_proj.weight", channel, channels.get(channel), 1);
        rows(small, values, name + "mlp.up_proj.weight", channel, channels.get(channel), 1);
        columns(small, values, name + "mlp.down_proj.weight", channel, channels.get(channel), 1);
      }
    }
    String norm = "model.norm.weight";
    assertThat(read(values, param(small, norm))).isEqualTo(read(DENSE, param(QWEN, norm)));
  }

  private static void rows(
      ModelFamily small, FirstValues values, String name, int row, int whole, int count) {
    float[] found = read(values, param(small, name));
    float[] dense = read(DENSE, param(QWEN, name));
    int width = param(QWEN, name).shape().rank() == 1 ? 1 : WIDTH;
    for (int i = 0; i < count * width; i++) {
      assertThat(found[row * width + i]).as(name).isEqualTo(dense[whole * width + i]);
    }
  }

  private static void columns(
      ModelFamily small, FirstValues values, String name, int column, int whole, int count) {
    Param ofSmall = param(small, name);
    Param ofWhole = param(QWEN, name);
    float[] found = read(values, ofSmall);
    float[] dense = read(DENSE, ofWhole);
    for (int row = 0; row < WIDTH; row++) {
      for (int i = 0; i < count; i++) {
        assertThat(found[row * ofSmall.shape().dim(1) + column + i])
            .as(name)
            .isEqualTo(dense[row * ofWhole.shape().dim(1) + whole + i]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.3, 0.5, 0.7, 0.99})
  void theShapeIsKnownWithoutWeights(double share) {
    Shrinking shrinking = new Shrinking(Criterion.MAGNITUDE, share, 3);
    byte[] text = QWEN.huggingFaceConfig().getBytes(StandardCharsets.UTF_8);
    Json.Obj config = JsonReader.read(text, "config.json").asObject("it");
    Kept kept = shrinking.choose(QWEN, DENSE, "base");
    assertThat(shrinking.smaller(QWEN))
        .isEqualTo(ModelFamily.ofHuggingFace(Shrinking.config(config, kept)));
  }

  @Test
  void magnitudeKeepsTheGroupsAndChannelsWithTheLargestSquares() {
    Kept kept = kept(Criterion.MAGNITUDE);
    Param gate = param(QWEN, "model.layers.1.mlp.gate_proj.weight");
    Param up = param(QWEN, "model.layers.1.mlp.up_proj.weight");
    Param down = param(QWEN, "model.layers.1.mlp.down_proj.weight");
    double[] squares = new double[24];
    for (int i = 0; i < 24 * WIDTH; i++) {
      squares[i / WIDTH] += Math.pow(read(DENSE, gate)[i], 2) + Math.pow(read(DENSE, up)[i], 2);
      squares[i % 24] += Math.pow(read(DENSE, down)[i], 2);
    }
    Set<Integer> channels = new HashSet<>(kept.layers().get(1).channels());
    double least = channels.stream().mapToDouble(c -> squares[c]).min().orElseThrow();
    for (int c = 0; c < 24; c++) {
      if (!channels.contains(c)) {
        assertThat(squares[c]).isLessThan(least);
      }
    }
  }

  /** peft.md 4.1: (B A)[kept, kept] = B_P A_P, zero elsewhere; biases and other factors as told. */
  @Test
  void recoveredFactorsAreTheTrainedOnesWhereSomethingWasKeptAndZeroElsewhere() {
    Kept kept = kept(Criterion.RANDOM);
    Recovery recovery = new Recovery(kept);
    ModelFamily small = smaller(kept);
    for (Weight map : small.maps()) {
      int rank = 3;
      Param a = factor(map.name() + ".lora_A.weight", rank, map.in());
      Param b = factor(map.name() + ".lora_B.weight", map.out(), rank);
      FirstValues values = recovery.values(List.of(a, b), DENSE);
      Weight whole =
          QWEN.maps().stream().filter(w -> w.name().equals(map.name())).findFirst().orElseThrow();
      assertThat(recovery.whole(a).shape()).isEqualTo(Shape.of(rank, whole.in()));
      assertThat(recovery.whole(b).shape()).isEqualTo(Shape.of(whole.out(), rank));
      double[][] expected = product(read(DENSE, b), read(DENSE, a), rank);
      double[][] found =
          product(read(values, recovery.whole(b)), read(values, recovery.whole(a)), rank);
      List<Integer> outs = places(kept.outputs(map.name()), whole.out());
      List<Integer> ins = places(kept.inputs(map.name()), whole.in());
      for (int out = 0; out < whole.out(); out++) {
        for (int in = 0; in < whole.in(); in++) {
          int row = outs.indexOf(out);
          int column = ins.indexOf(in);
          double value = row < 0 || column < 0 ? 0 : expected[row][column];
          assertThat(found[out][in]).as(map.name()).isCloseTo(value, within(1e-12));
        }
      }
    }
  }

  private static List<Integer> places(Optional<int[]> features, int all) {
    List<Integer> places = new ArrayList<>();
    if (features.isEmpty()) {
      for (int i = 0; i < all; i++) {
        places.add(i);
      }
    } else {
      for (int place : features.get()) {
        places.add(place);
      }
    }
    return places;
  }

  private static Param factor(String name, int rows, int columns) {
    return new Param(name, Shape.of(rows, columns), Demand.whole(), Init.zeros(), true);
  }

  private static double[][] product(float[] b, float[] a, int rank) {
    double[][] product = new double[b.length / rank][a.length / rank];
    for (int out = 0; out < product.length; out++) {
      for (int in = 0; in < product[0].length; in++) {
        for (int k = 0; k < rank; k++) {
          product[out][in] += (double) b[out * rank + k] * a[k * product[0].length + in];
        }
      }
    }
    return product;
  }

  @Test
  void theFileSaysTheSameAgainAndDamageIsNamed() {
    Kept kept = kept(Criterion.RANDOM);
    byte[] text = kept.text().getBytes(StandardCharsets.UTF_8);
    assertThat(Kept.of(text, "kept.json")).isEqualTo(kept);
    for (String[] change :
        new String[][] {
          {"\"groups\":[", "\"groups\":[9,"},
          {"\"groups\":[", "\"groups\":[3,0,"},
          {"\"heads\":8", "\"heads\":0"},
          {"\"kv_heads\":4", "\"kv_heads\":3"},
          {"\"layers\":[", "\"layers\":[],\"x\":["}
        }) {
      String broken = kept.text().replaceFirst(java.util.regex.Pattern.quote(change[0]), change[1]);
      assertThat(broken).isNotEqualTo(kept.text());
      assertThatThrownBy(() -> Kept.of(broken.getBytes(StandardCharsets.UTF_8), "kept.json"))
          .as(change[1])
          .isInstanceOf(CheckpointException.class)
          .hasMessageContaining("kept.json");
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    ModelFamily gpt2 = new Gpt2(16, 1, 2, Optional.empty(), Optional.of(11), 8, true, 0.4, 1e-5);
    assertThatThrownBy(() -> new Shrinking(Criterion.MAGNITUDE, 0.5, 0).choose(gpt2, DENSE, "b"))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("--structured: expected a llama, mistral, qwen2 or qwen3 model");
    assertThatThrownBy(() -> new Shrinking(Criterion.MAGNITUDE, 1.0, 0))
        .hasMessageContaining("--sparsity: expected above 0 and below 1, found 1.0");
    Kept kept = kept(Criterion.RANDOM);
    Optional<Integer> none = Optional.empty();
    ModelFamily other =
        new Llama(16, 2, 4, none, none, Optional.of(24), Optional.of(11), 8, true, 0.4, 1e4, 1e-5);
    assertThatThrownBy(() -> kept.requireOf(other, "other"))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("other: expected the model of which kept.json says what was kept");
    Recovery recovery = new Recovery(kept);
    String q = "model.layers.0.self_attn.q_proj";
    assertThatThrownBy(() -> recovery.whole(factor(q + ".lora_B.weight", 32, 2)))
        .hasMessageContaining("expected factors of the 16 kept features, found 32");
    assertThatThrownBy(() -> recovery.whole(factor(q + ".weight", 16, 16)))
        .hasMessageContaining("--recover: expected factors of " + q);
  }
}
