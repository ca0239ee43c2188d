package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import java.util.ArrayList;
import java.util.List;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.JCudaDriver;

/** One kernel with its grid and its arguments, in the order of its signature. */
final class Launch implements Command {
  private final String name;
  private final CUfunction function;
  private final Address.Stream stream;
  private final List<NativePointerObject> values = new ArrayList<>();
  private int gridX = 1;
  private int gridY = 1;
  private int block = 256;
  private int blockY = 1;
  private int shared;
  private Pointer arguments = new Pointer();

  Launch(String name, KernelModule kernels, Address.Stream stream) {
    this.name = name;
    this.function = kernels.function(name);
    this.stream = stream;
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
      values.add(Pointer.to(new long[] {address}));
    }
    return this;
  }

  Launch ints(int... numbers) {
    for (int number : numbers) {
      values.add(Pointer.to(new int[] {number}));
    }
    return this;
  }

  Launch longs(long... numbers) {
    return at(numbers);
  }

  Launch floats(float... numbers) {
    for (float number : numbers) {
      values.add(Pointer.to(new float[] {number}));
    }
    return this;
  }

  /** Fixes the arguments. */
  Launch ready() {
    arguments = Pointer.to(values.toArray(NativePointerObject[]::new));
    return this;
  }

  @Override
  public void issue() {
    check(
        JCudaDriver.cuLaunchKernel(
            function, gridX, gridY, 1, block, blockY, 1, shared, stream, arguments, null),
        toString());
  }

  @Override
  public String toString() {
    return "kernel " + name + "<<<(" + gridX + "," + gridY + "), " + block + ", " + shared + ">>>";
  }
}
