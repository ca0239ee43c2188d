package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FloatCastTest {
  private static float widened(SafetensorsType type, int bits) {
    return FloatCast.widened(type, (short) bits);
  }

  private static int narrowed(SafetensorsType type, float value) {
    return FloatCast.narrowed(value, type) & 0xffff;
  }

  /** Bits of infinity; all below are the finite numbers from 0 in their order. */
  private static int infinity(SafetensorsType type) {
    return type == SafetensorsType.F16 ? 0x7c00 : 0x7f80;
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void everyNumberComesBackAsItWas(SafetensorsType type) {
    for (int bits = 0; bits < 0x10000; bits++) {
      float value = widened(type, bits);
      if (Float.isNaN(value)) {
        assertThat(bits & 0x7fff).isGreaterThan(infinity(type));
        assertThat(widened(type, narrowed(type, value))).isNaN();
      } else {
        assertThat(narrowed(type, value)).as("%x", bits).isEqualTo(bits);
      }
    }
  }

  /** The whole rule: the middle goes to the even one, everything else to the nearer one. */
  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16"})
  void numbersBetweenTwoGoToTheNearer(SafetensorsType type) {
    for (int bits = 0; bits < infinity(type) - 1; bits++) {
      float low = widened(type, bits);
      float high = widened(type, bits + 1);
      assertThat(high).isGreaterThan(low);
      float middle = (float) (((double) low + high) / 2);
      int even = bits % 2 == 0 ? bits : bits + 1;
      assertThat(narrowed(type, middle)).as("%x", bits).isEqualTo(even);
      assertThat(narrowed(type, Math.nextDown(middle))).as("%x", bits).isEqualTo(bits);
      assertThat(narrowed(type, Math.nextUp(middle))).as("%x", bits).isEqualTo(bits + 1);
      assertThat(narrowed(type, -middle)).as("%x", bits).isEqualTo(even | 0x8000);
    }
  }

  @Test
  void numbersThatAreTooLargeBecomeInfinite() {
    assertThat(narrowed(SafetensorsType.F16, Math.nextDown(65520f))).isEqualTo(0x7bff);
    assertThat(narrowed(SafetensorsType.F16, 65520f)).isEqualTo(0x7c00);
    assertThat(narrowed(SafetensorsType.F16, -Float.MAX_VALUE)).isEqualTo(0xfc00);
    assertThat(narrowed(SafetensorsType.BF16, Float.MAX_VALUE)).isEqualTo(0x7f80);
    assertThat(narrowed(SafetensorsType.BF16, Float.NEGATIVE_INFINITY)).isEqualTo(0xff80);
  }

  @Test
  void buffersAreCastElementByElement() {
    ByteBuffer half = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    IntStream.of(0x3c00, 0xc000, 0x0001, 0x7bff).forEach(bits -> half.putShort((short) bits));
    ByteBuffer floats = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    FloatCast.cast(SafetensorsType.F16, half.flip(), SafetensorsType.F32, floats);
    assertThat(floats.flip().getFloat(0)).isEqualTo(1f);
    assertThat(floats.getFloat(4)).isEqualTo(-2f);
    assertThat(floats.getFloat(8)).isEqualTo(0x1p-24f);
    assertThat(floats.getFloat(12)).isEqualTo(65504f);
    ByteBuffer brain = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    FloatCast.cast(SafetensorsType.F32, floats, SafetensorsType.BF16, brain);
    assertThat(brain.getShort(2)).isEqualTo((short) 0xc000);
    assertThatThrownBy(() -> FloatCast.cast(SafetensorsType.F64, half, SafetensorsType.F32, floats))
        .hasMessage("expected F32, BF16 or F16, found F64, F32");
  }
}
