package dev.kindling.kernels.backend.cpu;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.testing.SnapshotRun;
import java.util.List;
import org.junit.jupiter.api.Test;

class CpuSnapshotTest {
  @Test
  void laterRunsDoNotShow() {
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        SnapshotRun run = new SnapshotRun(backend, 1003)) {
      run.checkThatLaterRunsDoNotShow();
    }
  }

  @Test
  void unknownNamesAreRefused() {
    Variable known = new Variable("w", ValueType.f32(3), Role.PARAMETER);
    try (Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = backend.allocate(List.of(known));
        Snapshot snapshot = memory.snapshot(List.of("w"));
        Span room = Span.allocate(4)) {
      assertThatThrownBy(() -> memory.snapshot(List.of("w", "v")))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("no variable v");
      assertThatThrownBy(() -> snapshot.fetch("v", 0, room))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("no variable v in this snapshot");
    }
  }
}
