package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class CudaKernelsTest {
  /** They wait for NCCL; whoever adds one takes it off this list. */
  private static final Set<Class<?>> MISSING =
      Set.of(AllGather.class, AllToAll.class, Broadcast.class, Reduce.class, ReduceScatter.class);

  @Test
  void everyOperationHasAKernelOrIsOnTheList() {
    Set<Class<?>> expected =
        Arrays.stream(Op.class.getPermittedSubclasses())
            .filter(op -> !MISSING.contains(op))
            .collect(Collectors.toSet());
    assertThat(CudaKernels.operations()).isEqualTo(expected);
  }
}
