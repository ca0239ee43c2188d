package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.image.MissingLibrary;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.JCudaDriver;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.cuda.global.nvml;
import org.bytedeco.cuda.global.nvrtc;
import org.bytedeco.cuda.nvml.nvmlDevice_st;
import org.bytedeco.cuda.nvml.nvmlMemory_t;
import org.bytedeco.javacpp.BytePointer;

/**
 * A program that says what CUDA this machine has, one fact a line: key, tab, value. Runs in a
 * process of its own: a broken driver may end it in the middle of a line, and {@code trying} tells
 * where. No context is created, so it disturbs nobody's GPU.
 */
public final class CudaProbe {
  /** Before each library or call that may end the process. */
  public static final String TRYING = "trying";

  /** CUDA version that the driver supports, as {@code 13.0}. */
  public static final String DRIVER = "driver";

  /** Why there is no usable driver. */
  public static final String REFUSED = "refused";

  /** Ordinal, compute capability as 90, bytes of memory, free bytes or -1, name. */
  public static final String GPU = "gpu";

  /** Name of a library, then its version. */
  public static final String LIBRARY = "library";

  /** Name of a library, then why it does not load. */
  public static final String MISSING = "missing";

  /** Two ordinals that cannot read each other's memory. */
  public static final String APART = "apart";

  /** {@code fatbin} or {@code sources}: what kernels this build holds. */
  public static final String KERNELS = "kernels";

  /** The last line: nothing ended the process before. */
  public static final String END = "end";

  private static final String TAB = "\t";

  private final Consumer<String> lines;

  private CudaProbe(Consumer<String> lines) {
    this.lines = lines;
  }

  /** Prints the facts; takes no argument. */
  public static void main(String[] args) {
    PrintStream out =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
    // Whatever a library prints must not look like a fact.
    System.setOut(System.err);
    new CudaProbe(out::println).probe();
  }

  private void probe() {
    boolean fatbin = CudaProbe.class.getResource("/cuda/norm.fatbin") != null;
    say(KERNELS, fatbin ? "fatbin" : "sources");
    say(TRYING, "libcuda.so.1");
    try {
      Cuda.initialize();
      int[] version = new int[1];
      check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
      say(DRIVER, DriverGate.shown(version[0]));
      devices();
    } catch (DeviceException refused) {
      say(REFUSED, String.valueOf(refused.getMessage()));
    } catch (LinkageError missing) {
      say(REFUSED, MissingLibrary.reason(missing));
    }
    library("cudart", CudaProbe::runtime);
    library("cublasLt", () -> cublas.cublasLtGetVersion());
    library("nvrtc", CudaProbe::compiler);
    library("nccl", CudaProbe::collectives);
    say(END);
  }

  private void say(String... words) {
    lines.accept(String.join(TAB, words).replace('\n', ' '));
  }

  private void library(String name, LongSupplier version) {
    say(TRYING, name);
    try {
      long number = version.getAsLong();
      say(LIBRARY, name, number / 10_000 + "." + number % 10_000 / 100 + "." + number % 100);
    } catch (LinkageError missing) {
      say(MISSING, name, MissingLibrary.reason(missing));
    }
  }

  private static long runtime() {
    int[] version = new int[1];
    cudart.cudaRuntimeGetVersion(version);
    return version[0] / 1000 * 10_000L + version[0] % 1000 / 10 * 100L;
  }

  private static long compiler() {
    int[] major = new int[1];
    int[] minor = new int[1];
    nvrtc.nvrtcVersion(major, minor);
    return major[0] * 10_000L + minor[0] * 100L;
  }

  private static long collectives() {
    int[] version = new int[1];
    nccl.ncclGetVersion(version);
    return version[0];
  }

  private void devices() {
    int[] count = new int[1];
    check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount");
    List<CUdevice> devices = new ArrayList<>();
    for (int ordinal = 0; ordinal < count[0]; ordinal++) {
      CUdevice device = new CUdevice();
      check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet " + ordinal);
      devices.add(device);
      describe(ordinal, device);
    }
    for (int a = 0; a < devices.size(); a++) {
      for (int b = a + 1; b < devices.size(); b++) {
        int[] can = new int[1];
        check(
            JCudaDriver.cuDeviceCanAccessPeer(can, devices.get(a), devices.get(b)),
            "cuDeviceCanAccessPeer");
        if (can[0] == 0) {
          say(APART, String.valueOf(a), String.valueOf(b));
        }
      }
    }
  }

  private void describe(int ordinal, CUdevice device) {
    byte[] name = new byte[128];
    check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName");
    long[] total = new long[1];
    check(JCudaDriver.cuDeviceTotalMem(total, device), "cuDeviceTotalMem");
    String[] bus = new String[1];
    check(JCudaDriver.cuDeviceGetPCIBusId(bus, 32, device), "cuDeviceGetPCIBusId");
    int capability =
        10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    String text = new String(name, StandardCharsets.UTF_8);
    int end = text.indexOf('\0');
    say(
        GPU,
        String.valueOf(ordinal),
        String.valueOf(capability),
        String.valueOf(total[0]),
        String.valueOf(free(bus[0])),
        end < 0 ? text : text.substring(0, end));
  }

  private static int attribute(CUdevice device, int attribute) {
    int[] value = new int[1];
    check(JCudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
    return value[0];
  }

  /** From the management library, which needs no context; -1 where it cannot say. */
  private static long free(String bus) {
    try (BytePointer name = new BytePointer(bus.strip(), StandardCharsets.US_ASCII);
        nvmlDevice_st handle = new nvmlDevice_st();
        nvmlMemory_t memory = new nvmlMemory_t()) {
      boolean told =
          nvml.nvmlInit_v2() == 0
              && nvml.nvmlDeviceGetHandleByPciBusId_v2(name, handle) == 0
              && nvml.nvmlDeviceGetMemoryInfo(handle, memory) == 0;
      return told ? memory._free() : -1;
    } catch (LinkageError missing) {
      return -1;
    }
  }
}
