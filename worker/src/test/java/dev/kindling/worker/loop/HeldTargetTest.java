package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.TensorTarget;
import dev.kindling.worker.shard.Held;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Memory for what is read goes back, filled or not. */
class HeldTargetTest {
  private final List<String> calls = new ArrayList<>();
  private final Span own = Span.allocate(8);

  private final Memory memory =
      (Memory)
          Proxy.newProxyInstance(
              Memory.class.getClassLoader(),
              new Class<?>[] {Memory.class},
              (proxy, method, arguments) -> {
                calls.add(method.getName() + " " + arguments[0]);
                return method.getName().equals("span") ? own : null;
              });

  private static long directBytes() {
    return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
        .filter(pool -> pool.getName().equals("direct"))
        .mapToLong(BufferPoolMXBean::getMemoryUsed)
        .sum();
  }

  @Test
  void theRoomOfAShardIsFreedWhenItIsFilledAndWhenItIsDropped() {
    int elements = 4 << 20;
    TensorTarget target = new HeldTarget(memory, new Held("w", Shape.of(elements), 4, 2));
    long before = directBytes();
    Span room = target.room();
    assertThat(directBytes()).isGreaterThanOrEqualTo(before + 4L * elements);
    room.putFloat(5, 7f);
    target.filled(room);
    assertThat(directBytes()).isLessThan(before + elements);
    assertThat(own.toFloats()).containsExactly(0f, 7f);
    assertThat(calls).containsExactly("span w", "publish w", "release w");
    target.dropped(target.room());
    assertThat(directBytes()).isLessThan(before + elements);
    assertThat(calls).hasSize(3);
  }

  @Test
  void theViewOfAWholeTensorIsReleasedUnpublished() {
    TensorTarget target = new HeldTarget(memory, new Held("w", Shape.of(2), 0, 2));
    target.dropped(target.room());
    assertThat(calls).containsExactly("span w", "release w");
  }
}
