package dev.kindling.worker.peft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.model.FirstValues;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ValueTensorsTest {
  /** Rows of Llama 3's vocabulary at the width of 70 billion: 4.2 GB in fp32. */
  private static final Param TABLE = param("embed", 128_256, 8192);

  private static final Param SMALL = param("norm", 5, 3);

  private final List<Long> asked = new ArrayList<>();

  private static Param param(String name, int rows, int columns) {
    return new Param(name, Shape.of(rows, columns), Demand.whole(), Init.zeros(), true);
  }

  /** An element's number, as a float would round it. */
  private FirstValues numbers() {
    return (param, from, target) -> {
      asked.add(from);
      for (long i = 0; i < target.bytes() / Float.BYTES; i++) {
        target.putFloat(i, from + i + (param.equals(SMALL) ? 0.5f : 0));
      }
    };
  }

  private static float[] read(ValueTensors tensors, int which, long element, int count) {
    ExportedTensors.Stored stored = tensors.tensors().get(which);
    ByteBuffer piece = ByteBuffer.allocate(count * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    tensors.read(stored, element * Float.BYTES, piece);
    float[] found = new float[count];
    piece.flip().asFloatBuffer().get(found);
    return found;
  }

  @Test
  void whatIsLargerThanAWindowIsReadInSome() {
    long windowBytes = 4096;
    long perWindow = windowBytes / Float.BYTES;
    try (ValueTensors tensors =
        new ValueTensors(List.of(SMALL, TABLE), "", numbers(), () -> {}, windowBytes)) {
      long last = TABLE.shape().elements() - 8;
      assertThat(last * Float.BYTES).isGreaterThan(Integer.MAX_VALUE);
      for (long element : new long[] {0, perWindow - 3, 600_000_000, last}) {
        float[] found = read(tensors, 0, element, 8);
        for (int i = 0; i < 8; i++) {
          assertThat(found[i]).isEqualTo((float) (element + i));
        }
      }
      asked.clear();
      read(tensors, 0, last, 8);
      assertThat(asked).as("the window is still there").isEmpty();
      read(tensors, 0, last - 3 * perWindow, (int) (2 * perWindow));
      assertThat(asked)
          .containsExactly(
              (last - 3 * perWindow) / perWindow * perWindow,
              (last - 2 * perWindow) / perWindow * perWindow,
              (last - perWindow) / perWindow * perWindow);
      assertThat(read(tensors, 1, 13, 2)).containsExactly(13.5f, 14.5f);
      assertThat(read(tensors, 0, 13, 2)).containsExactly(13f, 14f);
    }
  }

  @Test
  void aFailedReadIsNotTakenForTheTensor() {
    boolean[] fails = {true};
    FirstValues values =
        (param, from, target) -> {
          if (fails[0]) {
            throw new IllegalStateException("broken");
          }
          target.putFloat(0, 7);
        };
    try (ValueTensors tensors = new ValueTensors(List.of(SMALL), "", values, () -> {})) {
      org.assertj.core.api.Assertions.assertThatThrownBy(() -> read(tensors, 0, 0, 1))
          .hasMessage("broken");
      fails[0] = false;
      assertThat(read(tensors, 0, 0, 1)).containsExactly(7f);
    }
  }
}
