package dev.kindling.driver.doctor;

import dev.kindling.kernels.backend.cuda.CudaProbe;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * GPUs, driver and libraries of this machine.
 *
 * @param driver CUDA version that the driver supports; empty if it is not usable
 * @param refusal why it is not usable; empty if it is
 * @param libraries version by name
 * @param missing why a library does not load, by name
 * @param apart pairs of ordinals without peer access
 * @param ahead whether this build holds compiled kernels
 */
public record DeviceFacts(
    String driver,
    String refusal,
    List<Gpu> gpus,
    Map<String, String> libraries,
    Map<String, String> missing,
    List<String> apart,
    boolean ahead) {

  /**
   * One GPU.
   *
   * @param capability compute capability, for example 90
   * @param bytes of its memory
   * @param free bytes that nobody holds; -1 if unknown
   */
  public record Gpu(int ordinal, int capability, long bytes, long free, String name) {
    @Override
    public String toString() {
      String memory =
          free < 0
              ? "%.1f GiB".formatted(gib(bytes))
              : "%.1f of %.1f GiB free".formatted(gib(free), gib(bytes));
      return "%d: %s, compute capability %d.%d, %s"
          .formatted(ordinal, name, capability / 10, capability % 10, memory);
    }

    private static double gib(long bytes) {
      return bytes / (double) (1L << 30);
    }
  }

  public DeviceFacts {
    gpus = List.copyOf(gpus);
    libraries = Map.copyOf(libraries);
    missing = Map.copyOf(missing);
    apart = List.copyOf(apart);
  }

  /** A machine that no CUDA run can use. */
  static DeviceFacts none(String refusal) {
    return new DeviceFacts("", refusal, List.of(), Map.of(), Map.of(), List.of(), false);
  }

  /**
   * From what {@link CudaProbe} printed, whole or cut off by its end.
   *
   * @param end how its process ended, for the message if it did so early
   */
  static DeviceFacts parse(List<String> lines, String end) {
    String driver = "";
    String refusal = "";
    String trying = "the Java virtual machine";
    boolean ahead = false;
    boolean whole = false;
    List<Gpu> gpus = new ArrayList<>();
    List<String> apart = new ArrayList<>();
    Map<String, String> libraries = new LinkedHashMap<>();
    Map<String, String> missing = new LinkedHashMap<>();
    for (String line : lines) {
      String[] words = line.split("\t", 6);
      switch (words[0]) {
        case CudaProbe.TRYING -> trying = words[1];
        case CudaProbe.DRIVER -> driver = words[1];
        case CudaProbe.REFUSED -> refusal = words[1];
        case CudaProbe.GPU -> gpus.add(gpu(words));
        case CudaProbe.LIBRARY -> libraries.put(words[1], words[2]);
        case CudaProbe.MISSING -> missing.put(words[1], words[2]);
        case CudaProbe.APART -> apart.add(words[1] + " and " + words[2]);
        case CudaProbe.KERNELS -> ahead = words[1].equals("fatbin");
        case CudaProbe.END -> whole = true;
        default -> {} // A line of the JVM or of a library.
      }
    }
    if (!whole) {
      missing.putIfAbsent(trying, "loading it " + end);
      if (driver.isEmpty() && refusal.isEmpty()) {
        refusal = "cuda: loading " + trying + " " + end;
      }
    }
    return new DeviceFacts(driver, refusal, gpus, libraries, missing, apart, ahead);
  }

  private static Gpu gpu(String[] words) {
    return new Gpu(
        Integer.parseInt(words[1]),
        Integer.parseInt(words[2]),
        Long.parseLong(words[3]),
        Long.parseLong(words[4]),
        words[5]);
  }

  /**
   * Why that many ranks of one GPU each cannot run on this machine, and what would fit.
   *
   * @return empty if they can
   */
  public String refusal(int ranks) {
    if (!refusal.isEmpty()) {
      return refusal;
    }
    if (gpus.size() < ranks) {
      return "ranks: needs %d GPUs, this machine shows %d; at most ranks: %d fits (--set ranks=%d)"
          .formatted(ranks, gpus.size(), gpus.size(), gpus.size());
    }
    String blas = missing.get("cublasLt");
    if (blas != null) {
      return "cuda: cuBLASLt of CUDA 13 cannot be loaded (" + blas + "); " + Examination.LIBRARIES;
    }
    String compiler = missing.get("nvrtc");
    if (!ahead && compiler != null) {
      return "cuda: this build holds kernel sources only and NVRTC cannot be loaded ("
          + compiler
          + "); "
          + Examination.LIBRARIES;
    }
    String collectives = missing.get("nccl");
    if (ranks > 1 && collectives != null) {
      return "cuda: ranks: %d needs NCCL, which cannot be loaded (%s); %s"
          .formatted(ranks, collectives, Examination.LIBRARIES);
    }
    return "";
  }
}
