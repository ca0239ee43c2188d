package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import java.util.List;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.JCudaDriver;

/** The native side of a launch: what the driver is handed, made once. */
final class KernelCall implements Command {
  private final CUfunction function;
  private final Address.Stream stream;
  private final Launch.Extent extent;
  private final String text;
  private final Pointer arguments;

  KernelCall(CUfunction function, Address.Stream stream, Launch launch) {
    this.function = function;
    this.stream = stream;
    extent = launch.extent();
    text = launch.toString();
    List<Number> numbers = launch.arguments();
    arguments =
        Pointer.to(numbers.stream().map(KernelCall::pointerTo).toArray(NativePointerObject[]::new));
  }

  private static Pointer pointerTo(Number argument) {
    if (argument instanceof Integer number) {
      return Pointer.to(new int[] {number});
    }
    return argument instanceof Float number
        ? Pointer.to(new float[] {number})
        : Pointer.to(new long[] {argument.longValue()});
  }

  @Override
  public void issue() {
    check(
        JCudaDriver.cuLaunchKernel(
            function,
            extent.gridX(),
            extent.gridY(),
            extent.gridZ(),
            extent.block(),
            extent.blockY(),
            1,
            extent.shared(),
            stream,
            arguments,
            null),
        text);
  }

  @Override
  public String toString() {
    return text;
  }
}
