package dev.kindling.comm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a long training run relies on: no garbage per call, no names left behind. */
class SteadyStateTest {
  private static final int WARMUP = 300;
  private static final int CALLS = 100;
  private static final int ROUNDS = 4;

  @ParameterizedTest
  @EnumSource(names = "LOOPBACK", mode = EnumSource.Mode.EXCLUDE)
  void allReduceAllocatesNothing(World world) {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    world.runAll(
        3,
        communicator -> {
          try (Span small = Span.allocate(4 << 10);
              Span large = Span.allocate(1 << 20)) {
            reduce(communicator, small, large, WARMUP);
            long before = threads.getCurrentThreadAllocatedBytes();
            long asking = threads.getCurrentThreadAllocatedBytes() - before;
            long least = Long.MAX_VALUE;
            for (int round = 0; round < ROUNDS; round++) {
              before = threads.getCurrentThreadAllocatedBytes();
              reduce(communicator, small, large, CALLS);
              long allocated = threads.getCurrentThreadAllocatedBytes() - before - asking;
              least = Math.min(least, allocated);
            }
            // The JDK makes a few objects at the first sleep in a selector, whenever that comes;
            // garbage of every call would show in every round.
            assertThat(least).isZero();
          }
        });
  }

  private static void reduce(Communicator communicator, Span small, Span large, int calls) {
    for (int i = 0; i < calls; i++) {
      communicator.allReduce(small, DType.F32, Reduction.SUM);
      communicator.allReduce(large, DType.F32, Reduction.SUM);
    }
  }

  /** Linux lists what a process has mapped; a file whose name is gone is marked there. */
  @Test
  void sharedMemoryHasNoNameOnceOpen() {
    Path maps = Path.of("/proc/self/maps");
    assumeTrue(Files.isReadable(maps) && Files.isWritable(Path.of("/dev/shm")));
    World.RING.runAll(
        2,
        communicator -> {
          // The name goes when both have mapped it; a collective is later than that.
          try (Span data = Span.allocate(4)) {
            communicator.allReduce(data, DType.F32, Reduction.SUM);
          }
          try (var lines = Files.lines(maps)) {
            assertThat(lines.filter(line -> line.contains("/dev/shm/kindling-")))
                .isNotEmpty()
                .allMatch(line -> line.endsWith("(deleted)"));
          }
          try (Span data = Span.allocate(4)) {
            communicator.allReduce(data, DType.F32, Reduction.SUM);
          }
        });
  }
}
