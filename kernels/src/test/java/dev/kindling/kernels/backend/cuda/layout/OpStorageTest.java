package dev.kindling.kernels.backend.cuda.layout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.op.Op;
import org.junit.jupiter.api.Test;

class OpStorageTest {
  @Test
  void everyOperationHasARow() {
    for (Class<?> op : Op.class.getPermittedSubclasses()) {
      assertThat(OpStorage.ROWS).as("%s", op.getSimpleName()).containsKey(op.asSubclass(Op.class));
    }
    assertThat(OpStorage.ROWS).hasSize(Op.class.getPermittedSubclasses().length);
  }
}
