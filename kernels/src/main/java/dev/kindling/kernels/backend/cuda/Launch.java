package dev.kindling.kernels.backend.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** One kernel with its grid and its arguments, in the order of its signature. */
final class Launch implements Command {
  /** Grid and block of a launch, and bytes of dynamic shared memory. */
  record Extent(int gridX, int gridY, int gridZ, int block, int blockY, int shared) {}

  private final String name;
  private final @Nullable Function<Launch, Command> device;
  private final List<Number> arguments = new ArrayList<>();
  private int gridX = 1;
  private int gridY = 1;
  private int gridZ = 1;
  private int block = 256;
  private int blockY = 1;
  private int shared;
  private @Nullable Command call;

  /**
   * @param device makes the native call of a finished launch; null where no device is at hand
   */
  Launch(String name, @Nullable Function<Launch, Command> device) {
    this.name = name;
    this.device = device;
  }

  Launch grid(long blocks, int threads) {
    return grid(blocks, 1, threads);
  }

  Launch grid(long blocksX, int blocksY, int threads) {
    gridX = Math.toIntExact(blocksX);
    gridY = blocksY;
    block = threads;
    return this;
  }

  /** The same grid several times over. */
  Launch layers(int count) {
    gridZ = count;
    return this;
  }

  /** Threads of a block in two dimensions. */
  Launch block(int x, int y) {
    block = x;
    blockY = y;
    return this;
  }

  Launch shared(int bytes) {
    shared = bytes;
    return this;
  }

  /** Pointers first: {@code operand} addresses or 0 for null. */
  Launch at(long... addresses) {
    for (long address : addresses) {
      arguments.add(address);
    }
    return this;
  }

  Launch ints(int... numbers) {
    for (int number : numbers) {
      arguments.add(number);
    }
    return this;
  }

  Launch longs(long... numbers) {
    return at(numbers);
  }

  Launch floats(float... numbers) {
    for (float number : numbers) {
      arguments.add(number);
    }
    return this;
  }

  /** Fixes grid and arguments. */
  Launch ready() {
    call = device == null ? null : device.apply(this);
    return this;
  }

  Extent extent() {
    return new Extent(gridX, gridY, gridZ, block, blockY, shared);
  }

  /** Longs for pointers and 64-bit numbers, ints, floats. */
  List<Number> arguments() {
    return List.copyOf(arguments);
  }

  @Override
  public void issue() {
    Objects.requireNonNull(call, name).issue();
  }

  @Override
  public String toString() {
    String grid = gridX + "," + gridY + (gridZ == 1 ? "" : "," + gridZ);
    return "kernel " + name + "<<<(" + grid + "), " + block + ", " + shared + ">>>";
  }
}
