package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import org.junit.jupiter.api.Test;

class ProductChoicesTest {
  private static final String SHAPE = shape(64);

  private final ProductChoices choices = new ProductChoices("GPU A", "library-1");

  private static String shape(int m) {
    return batch(m, 1).toString();
  }

  private static ProductBatch batch(int m, int count) {
    ProductShape shape =
        new ProductShape(
            false,
            true,
            m,
            32,
            16,
            16,
            16,
            32,
            Element.BF16,
            Element.F32,
            true,
            ProductShape.Epilogue.NONE,
            0);
    return new ProductBatch(shape, count, 1000, 2000, 3000);
  }

  /** What older runs stored for one product is found again. */
  @Test
  void aBatchOfOneIsNamedAsItsShapeAndAnotherCountIsAnotherProduct() {
    assertThat(shape(64)).isEqualTo(batch(64, 1).shape().toString());
    choices.add(SHAPE, new byte[] {1}, 1f);
    choices.add(batch(64, 3).toString(), new byte[] {3}, 1f);
    assertThat(choices.find(SHAPE)).containsExactly(1);
    assertThat(choices.find(batch(64, 2).toString())).isNull();
    ProductChoices other = new ProductChoices("GPU A", "library-1");
    other.adopt(choices.encode());
    assertThat(other.find(batch(64, 3).toString())).containsExactly(3);
  }

  @Test
  void whatOneProcessMeasuredAnotherOneOfTheSameKindChooses() {
    choices.add(SHAPE, new byte[] {1, -1}, 12.34f);
    ProductChoices other = new ProductChoices("GPU A", "library-1");
    other.adopt(choices.encode());
    assertThat(other.find(SHAPE)).containsExactly(1, -1);
    assertThat(other.encode()).isEqualTo(choices.encode());
    assertThat(other.find(shape(128))).isNull();
  }

  @Test
  void onlyWhatWasUsedIsTold() {
    choices.add(SHAPE, new byte[] {1}, 1f);
    choices.add(shape(128), new byte[] {2}, 1f);
    ProductChoices other = new ProductChoices("GPU A", "library-1");
    other.adopt(choices.encode());
    assertThat(other.encode()).isEmpty();
    other.find(SHAPE);
    assertThat(other.encode().lines()).hasSize(1);
  }

  @Test
  void choicesOfOtherDevicesAndLibrariesAreNotUsed() {
    choices.add(SHAPE, new byte[] {7}, 1f);
    for (ProductChoices other :
        new ProductChoices[] {
          new ProductChoices("GPU B", "library-1"), new ProductChoices("GPU A", "library-2")
        }) {
      other.adopt(choices.encode());
      assertThat(other.find(SHAPE)).isNull();
      other.add(SHAPE, new byte[] {8}, 1f);
      assertThat(other.find(SHAPE)).containsExactly(8);
    }
  }

  @Test
  void whatIsChosenAlreadyStays() {
    choices.add(SHAPE, new byte[] {7}, 1f);
    ProductChoices other = new ProductChoices("GPU A", "library-1");
    other.add(SHAPE, new byte[] {9}, 1f);
    other.adopt(choices.encode());
    assertThat(other.find(SHAPE)).containsExactly(9);
  }

  @Test
  void aDamagedLineIsNamed() {
    assertThatThrownBy(() -> choices.adopt("GPU A\tlibrary-1\tshape\t0g\t1.0"))
        .isInstanceOf(DeviceException.class)
        .hasMessageEndingWith("found GPU A\tlibrary-1\tshape\t0g\t1.0");
  }
}
