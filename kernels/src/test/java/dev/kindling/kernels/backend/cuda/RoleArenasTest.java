package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RoleArenasTest {
  private static final Variable GAIN = new Variable("gain", ValueType.f32(24), Role.PARAMETER);
  private static final Variable WEIGHT =
      new Variable("weight", ValueType.f32(64, 24), Role.PARAMETER);
  private static final Variable LAST = new Variable("last", ValueType.f32(8), Role.PARAMETER);
  private static final Variable STATE = new Variable("state", ValueType.f32(64, 24), Role.STATE);
  private static final List<Variable> ALL = List.of(GAIN, WEIGHT, STATE, LAST);

  @Test
  void everyVariableFollowsTheOneBeforeOfItsRole() {
    RoleArenas arenas = new RoleArenas(ALL, true);
    assertThat(arenas.offset(GAIN)).isZero();
    assertThat(arenas.offset(WEIGHT)).isEqualTo(128);
    assertThat(arenas.offset(LAST)).isEqualTo(128 + 6144);
    assertThat(arenas.offset(STATE)).isZero();
    assertThat(arenas.bytes(Role.PARAMETER)).isEqualTo(128 + 6144 + 128);
    assertThat(arenas.copyOffset(LAST)).isEqualTo(arenas.offset(LAST) / 2);
    assertThat(arenas.masters()).containsExactly(GAIN, WEIGHT, LAST);
  }

  @Test
  void aParameterInBf16AloneHasACopyAndNoMaster() {
    RoleArenas arenas = new RoleArenas(ALL, true, Set.of(WEIGHT), Set.of(), Set.of());
    assertThat(arenas.hasMaster(WEIGHT)).isFalse();
    assertThat(arenas.masters()).containsExactly(GAIN, LAST);
    assertThat(arenas.offset(LAST)).isEqualTo(128);
    assertThat(arenas.bytes(Role.PARAMETER)).isEqualTo(256);
    assertThat(arenas.copyOffset(WEIGHT)).isEqualTo(64);
    assertThat(arenas.copyOffset(LAST)).isEqualTo(64 + 3072);
    assertThat(arenas.copyBytes()).isEqualTo(128 + 3072);
    assertThat(arenas.known("weight")).isEqualTo(WEIGHT);
    assertThatThrownBy(() -> arenas.offset(WEIGHT))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("weight")
        .hasMessageContaining("bf16 alone");
  }

  @Test
  void whatIsUploadedAndHasNoMasterLiesOnTheHost() {
    RoleArenas arenas = new RoleArenas(ALL, true, Set.of(WEIGHT), Set.of(), Set.of(WEIGHT, LAST));
    assertThat(arenas.isHosted(WEIGHT)).isTrue();
    assertThat(arenas.isHosted(LAST)).isFalse();
    assertThat(arenas.hostBytes()).isEqualTo(3072);
    assertThat(arenas.copyOffset(WEIGHT)).isZero();
    assertThat(arenas.copyOffset(LAST)).isEqualTo(64);
    assertThat(arenas.copyBytes()).isEqualTo(128);
    assertThat(arenas.masters()).containsExactly(GAIN, LAST);
  }

  @Test
  void updatesThatRoundNeedNoMasterAndSixBytesLessPerElement() {
    Graph rounding = update(Optional.of(3L));
    Graph plain = update(Optional.empty());
    assertThat(RoleArenas.bf16Only(List.of(plain))).isEmpty();
    assertThat(RoleArenas.bf16Only(List.of(plain, rounding))).containsExactly(WEIGHT);
    CudaBytes wide = bytes(plain);
    CudaBytes narrow = bytes(rounding);
    assertThat(wide.variables().get(Role.PARAMETER) - narrow.variables().get(Role.PARAMETER))
        .isEqualTo(6144);
    assertThat(narrow.copies()).isEqualTo(wide.copies());
    List<Graph> programs = List.of(rounding);
    assertThatThrownBy(() -> CudaBytes.of(rounding.variables(), programs, Precision.FP32, 1))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("expected a parameter in bf16 alone");
  }

  @Test
  void aParameterInCodesHasNeitherMasterNorCopy() {
    Graph coded = scaledUpdate(Optional.of(3L));
    Graph plain = scaledUpdate(Optional.empty());
    for (Precision precision : Precision.values()) {
      CudaBytes wide = CudaBytes.of(plain.variables(), List.of(plain), precision, 1);
      CudaBytes narrow = CudaBytes.of(coded.variables(), List.of(coded), precision, 1);
      assertThat(wide.codes()).isZero();
      assertThat(narrow.variables().get(Role.PARAMETER)).isZero();
      assertThat(narrow.copies()).isZero();
      assertThat(narrow.codes()).isEqualTo((64 * 24 + 4 * 12 + 127) / 128 * 128);
      // What a product reads of it: in the precision's type, one at a time.
      int bytes = precision == Precision.BF16 && narrow.copies() > 0 ? 2 : 4;
      assertThat(narrow.scratch()).isEqualTo(64L * 24 * bytes);
      assertThat(narrow.total() - narrow.workspace())
          .isEqualTo(wide.total() - wide.workspace() - lost(wide, narrow));
    }
    RoleArenas arenas = RoleArenas.of(coded.variables(), List.of(coded), true);
    assertThat(arenas.hasCodes(WEIGHT)).isTrue();
    assertThat(arenas.masters()).isEmpty();
    assertThatThrownBy(() -> arenas.offset(WEIGHT)).hasMessageContaining("in codes of 8 bits");
    assertThatThrownBy(() -> arenas.copyOffset(WEIGHT)).hasMessageContaining("no bf16 copy");
  }

  private static long lost(CudaBytes wide, CudaBytes narrow) {
    return wide.variables().get(Role.PARAMETER)
        + wide.copies()
        + wide.constants()
        + wide.scratch()
        - narrow.codes()
        - narrow.constants()
        - narrow.scratch();
  }

  /** An update, and a product that reads what it made. */
  private static Graph scaledUpdate(Optional<Long> key) {
    GraphBuilder b = new GraphBuilder();
    Channels channels = Channels.of(WEIGHT.type().shape(), WEIGHT.type().shape());
    Value gradient = b.variable(new Variable("g", WEIGHT.type(), Role.GRADIENT));
    Value factors = b.variable(new Variable("f", ValueType.f32(64), Role.STATE));
    Value sums = b.variable(new Variable("sums", ValueType.f32(3), Role.STATE));
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    Value x = b.variable(new Variable("x", ValueType.f32(8, 24), Role.INPUT));
    ScaledUpdate op = new ScaledUpdate(channels, true, 1, false, 0, 0, key);
    Value w = b.add(op, b.variable(WEIGHT), gradient, factors, sums, scale, b.step()).get(0);
    b.output("y", b.linear(x, w));
    return b.build();
  }

  @Test
  void gradientsThatAreWrittenOnceTakeTwoBytes() {
    Variable small = new Variable("g/small", ValueType.f32(5, 7), Role.FRESH_GRADIENT);
    Variable next = new Variable("g/next", WEIGHT.type(), Role.FRESH_GRADIENT);
    List<Variable> declared = List.of(small, next);
    RoleArenas narrow = new RoleArenas(declared, true);
    assertThat(narrow.offset(next)).isEqualTo(96);
    assertThat(narrow.bytes(Role.FRESH_GRADIENT)).isEqualTo(128 + 3072);
    assertThat(narrow.hasMaster(next)).isTrue();
    RoleArenas wide = new RoleArenas(declared, false);
    assertThat(wide.offset(next)).isEqualTo(192);
    assertThat(wide.bytes(Role.FRESH_GRADIENT)).isEqualTo(256 + 6144);
  }

  private static CudaBytes bytes(Graph graph) {
    return CudaBytes.of(graph.variables(), List.of(graph), Precision.BF16, 1);
  }

  private static Graph update(Optional<Long> key) {
    GraphBuilder b = new GraphBuilder();
    Value gradient = b.variable(new Variable("g", WEIGHT.type(), Role.GRADIENT));
    Value m = b.variable(new Variable("m", WEIGHT.type(), Role.STATE));
    Value v = b.variable(new Variable("v", WEIGHT.type(), Role.STATE));
    Value scale = b.variable(new Variable("scale", ValueType.f32(1), Role.INPUT));
    AdamW op = new AdamW(0.9f, 0.95f, 1e-8f, 0, key);
    b.add(op, b.variable(WEIGHT), gradient, m, v, scale, b.step());
    return b.build();
  }

  @Test
  void theHostRoundsToNearestEvenAndWidensExactly() {
    float[] values = {1f, -2.5f, 1.00390625f, 1.01171875f, Float.POSITIVE_INFINITY, Float.NaN, -0f};
    float[] expected = {1f, -2.5f, 1f, 1.015625f, Float.POSITIVE_INFINITY, Float.NaN, -0f};
    ByteBuffer wide = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer narrow = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    wide.asFloatBuffer().put(values);
    Bf16.narrow(wide, narrow);
    Bf16.widen(narrow, wide);
    float[] found = new float[values.length];
    wide.asFloatBuffer().get(found);
    assertThat(found).isEqualTo(expected);
  }
}
