package dev.kindling.driver.doctor;

import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** What the doctor looks at, in the order in which a run needs it. */
public final class Examination {
  static final String LIBRARIES =
      "install the CUDA 13 toolkit's libraries and name their folder in LD_LIBRARY_PATH"
          + " (bin/kindling adds $CUDA_HOME/lib64 or /usr/local/cuda/lib64 itself)";

  private static final int JAVA = 17;
  private static final long MEMORY_LOW = 4L << 30;
  private static final long SHARED_LOW = 64L << 20;

  /** NCCL takes some tens of MiB a rank, and fails far from the cause where they are missing. */
  private static final long SHARED_CUDA = 1L << 30;

  /** A rank opens some hundred; an executor's shuffles and a driver of many ranks more. */
  private static final long FILES_LOW = 4096;

  private static final String OPENBLAS = "openblas";
  private static final String COMM_ID = "NCCL_COMM_ID";

  private final Machine machine;

  /**
   * Of this machine.
   *
   * @param openDoors tells why a run with Spark's present settings would be refused
   */
  public Examination(Supplier<List<String>> openDoors) {
    this(new ThisMachine(openDoors));
  }

  Examination(Machine machine) {
    this.machine = machine;
  }

  /**
   * What was found.
   *
   * @param base findings that every run depends on
   * @param device findings that a run with {@code device: cuda} depends on too
   */
  public record Report(List<Finding> base, List<Finding> device) {
    public Report {
      base = List.copyOf(base);
      device = List.copyOf(device);
    }

    /** Whether a run on the CPU can work. */
    public boolean cpu() {
      return base.stream().noneMatch(finding -> finding.state() == Finding.State.WRONG);
    }

    /** Whether a run on a GPU of this machine can work. */
    public boolean cuda() {
      return cpu() && device.stream().noneMatch(finding -> finding.state() == Finding.State.WRONG);
    }
  }

  /**
   * @param runs folder or URI of the runs
   * @param wanted whether a machine without a GPU is wrong
   */
  public Report examine(StorageLocation runs, boolean wanted) throws InterruptedException {
    List<Finding> base = new ArrayList<>(List.of(java(), spark(), memory()));
    base.add(loopback());
    base.add(ownName());
    base.add(security());
    base.add(
        runs.path().map(FolderCheck::examine).orElseGet(() -> StoreCheck.examine(runs, Map.of())));
    base.add(openFiles());
    base.add(matrixProduct());
    DeviceFacts facts =
        machine.bindings() ? machine.device() : DeviceFacts.none("cuda: " + CudaBindings.MISSING);
    base.add(sharedMemory(facts.gpus().size() > 1));
    return new Report(base, device(facts, wanted));
  }

  private Finding java() {
    String version = machine.javaVersion();
    return Runtime.Version.parse(version).feature() < JAVA
        ? Finding.wrong("java", version, "install a JDK 17 or newer and set JAVA_HOME")
        : Finding.ok("java", version);
  }

  private Finding spark() {
    String mend = "point SPARK_HOME at Spark 4.1 or 4.2";
    try {
      String version = machine.sparkVersion();
      return version.startsWith("4.1.") || version.startsWith("4.2.")
          ? Finding.ok("spark", version)
          : Finding.wrong("spark", version + ", expected 4.1 or 4.2", mend);
    } catch (LinkageError missing) {
      return Finding.wrong("spark", "not on the class path (" + missing + ")", mend);
    }
  }

  private Finding memory() {
    String text = "%.1f GiB".formatted(machine.memoryBytes() / (double) (1L << 30));
    return machine.memoryBytes() < MEMORY_LOW
        ? Finding.note(
            "memory", text, "two executors take 2 GiB beside their tensors: --set ranks=1")
        : Finding.ok("memory", text);
  }

  private Finding loopback() {
    try {
      return Finding.ok("ports", "loopback works (port " + machine.loopback() + ")");
    } catch (IOException e) {
      return Finding.wrong(
          "ports", "loopback: " + e, "bring up the lo interface; let Java listen on any port");
    }
  }

  private Finding ownName() {
    try {
      String address = machine.ownAddress();
      return remote(machine.master()) && address.matches(".*/(127\\..*|.*::1|0:0:0:0:0:0:0:1)")
          ? Finding.note(
              "name",
              address + ", which executors on other machines cannot connect to",
              "set SPARK_LOCAL_IP or spark.driver.host to an address that they reach")
          : Finding.ok("name", address);
    } catch (IOException e) {
      return Finding.note(
          "name",
          "this machine's own name has no address (" + e + ")",
          "add it to /etc/hosts, or set SPARK_LOCAL_IP");
    }
  }

  /** A master in this machine is closed by default; others must be so already. */
  private Finding security() {
    String master = machine.master();
    List<String> doors = machine.openDoors();
    if (!doors.isEmpty()) {
      return Finding.wrong(
          "security",
          String.join("; ", doors),
          "set what it names, for example with --properties-file and a file from"
              + " cluster-configs/cluster");
    }
    return Finding.ok("security", master.isEmpty() ? "own master, closed" : master + ", closed");
  }

  private static boolean remote(String master) {
    return !master.isEmpty() && !master.startsWith("local");
  }

  private Finding openFiles() {
    long files = machine.openFiles();
    String text = files < 0 ? "unknown" : files + " may be open";
    return files >= 0 && files < FILES_LOW
        ? Finding.note("files", text, "ulimit -n " + FILES_LOW + ", or LimitNOFILE of the service")
        : Finding.ok("files", text);
  }

  private Finding matrixProduct() {
    String name = machine.matrixProduct();
    return name.equals(OPENBLAS)
        ? Finding.ok(OPENBLAS, "loads")
        : Finding.note(
            OPENBLAS,
            "does not load: runs on the CPU take matrix products of "
                + name
                + ", several times"
                + " slower",
            "the warning says why: often a temporary folder mounted noexec"
                + " (-Dorg.bytedeco.javacpp.cachedir=DIR in KINDLING_JAVA_OPTS) or no glibc");
  }

  private Finding sharedMemory(boolean severalGpus) {
    long bytes = machine.sharedMemoryBytes();
    String text = "%s: %d MiB free".formatted(machine.sharedMemory(), bytes >> 20);
    if (bytes < 0) {
      return Finding.note(
          "shm", machine.sharedMemory() + " cannot be written", "ranks of a host use sockets then");
    }
    if (bytes < SHARED_LOW || (severalGpus && bytes < SHARED_CUDA)) {
      return Finding.note(
          "shm", text, "docker run --shm-size=1g; Kubernetes: an emptyDir of medium Memory");
    }
    return Finding.ok("shm", text);
  }

  private List<Finding> device(DeviceFacts facts, boolean wanted) {
    List<Finding> findings = new ArrayList<>();
    if (!facts.refusal().isEmpty()) {
      String refusal = facts.refusal().replaceFirst("^cuda: ", "");
      findings.add(
          wanted
              ? Finding.wrong(
                  "cuda",
                  refusal + " (the kernel's driver shows " + machine.gpuFiles() + ")",
                  "install the NVIDIA driver R580 or newer; containers: docker run --gpus all")
              : Finding.note("cuda", "no GPU: cpu only (" + refusal + ")", ""));
      return findings;
    }
    findings.add(Finding.ok("driver", "CUDA " + facts.driver()));
    facts.gpus().forEach(gpu -> findings.add(Finding.ok("gpu", gpu.toString())));
    if (machine.isSet(COMM_ID)) {
      findings.add(
          Finding.wrong(
              "nccl id",
              COMM_ID + " is set: anybody who knows it could join the ranks, so runs refuse it",
              "unset " + COMM_ID));
    }
    findings.add(
        facts.ahead()
            ? Finding.ok("kernels", "compiled ahead")
            : Finding.ok("kernels", "sources only: NVRTC compiles them at the first start"));
    findings.add(library(facts, "cudart", true));
    findings.add(library(facts, "cublasLt", true));
    findings.add(library(facts, "nvrtc", !facts.ahead()));
    findings.add(library(facts, "nccl", facts.gpus().size() > 1));
    if (!facts.apart().isEmpty()) {
      findings.add(
          Finding.note(
              "peers",
              "no peer access between GPUs " + String.join(", ", facts.apart()),
              "collectives go through the host's memory there; nvidia-smi topo -m shows the"
                  + " links"));
    } else if (facts.gpus().size() > 1) {
      findings.add(Finding.ok("peers", "every GPU reaches every other"));
    }
    return findings;
  }

  private static Finding library(DeviceFacts facts, String name, boolean needed) {
    String version = facts.libraries().get(name);
    if (version != null) {
      return Finding.ok(name, version);
    }
    String reason = facts.missing().getOrDefault(name, "not looked at");
    return needed
        ? Finding.wrong(name, reason, LIBRARIES)
        : Finding.note(name, reason + " (not needed here)", "");
  }
}
