package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.cuda.layout.Element;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * What a GPU can do at most, measured now: clocks depend on the card, its heat and its data.
 *
 * @param bytesPerSecond read plus written by a copy on the device
 * @param flopsPerSecond of a large product of random bf16 matrices
 */
public record DeviceRoofs(double bytesPerSecond, double flopsPerSecond) {
  private static final long COPY_BYTES = 1L << 30;
  private static final int SIDE = 8192;
  private static final int REPETITIONS = 20;

  /**
   * @param ordinal of the GPU among those this process sees; 3 GiB of it must be free
   */
  public static DeviceRoofs measure(int ordinal) {
    try (CudaDevice device = new CudaDevice(ordinal);
        Engine engine = new Engine(device, true, line -> {});
        EventTimer timer = new EventTimer(device)) {
      return new DeviceRoofs(copyRate(device, timer), productRate(device, engine, timer));
    }
  }

  private static double copyRate(CudaDevice device, EventTimer timer) {
    Address.Device from = Address.Device.at(device.reserve(COPY_BYTES, "copied from"));
    Address.Device to = Address.Device.at(device.reserve(COPY_BYTES, "copied to"));
    Command copy =
        () ->
            check(
                JCudaDriver.cuMemcpyDtoDAsync(to, from, COPY_BYTES, device.stream()),
                "cuMemcpyDtoDAsync");
    return 2e6 * COPY_BYTES / timer.median(copy, REPETITIONS);
  }

  private static double productRate(CudaDevice device, Engine engine, EventTimer timer) {
    long bytes = 2L * SIDE * SIDE;
    long a = device.reserve(bytes, "factor");
    long d = device.reserve(bytes, "product");
    ByteBuffer random = ByteBuffer.allocateDirect(Math.toIntExact(bytes));
    random.order(ByteOrder.LITTLE_ENDIAN);
    SplittableRandom numbers = new SplittableRandom(1);
    // Zeros would draw less power and clock higher than any model does.
    while (random.hasRemaining()) {
      random.putShort((short) (Float.floatToRawIntBits((float) numbers.nextDouble(-1, 1)) >>> 16));
    }
    random.flip();
    check(
        JCudaDriver.cuMemcpyHtoD(Address.Device.at(a), Pointer.to(random), bytes),
        "cuMemcpyHtoD factor");
    ProductShape shape =
        new ProductShape(
            false,
            true,
            SIDE,
            SIDE,
            SIDE,
            SIDE,
            SIDE,
            SIDE,
            Element.BF16,
            Element.BF16,
            false,
            ProductShape.Epilogue.NONE,
            0);
    try (Product product = engine.blas().product(ProductBatch.one(shape), a, a, d, 0, 0)) {
      return 2e6 * SIDE * SIDE * SIDE / timer.median(product, REPETITIONS);
    }
  }
}
