package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.op.Op;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CudaKernelsTest {
  @Test
  void everyOperationHasAKernel() {
    assertThat(CudaKernels.operations()).isEqualTo(Set.of(Op.class.getPermittedSubclasses()));
  }
}
