package dev.kindling.driver.doctor;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A machine in good order, until a test spoils a part of it. */
final class FakeMachine implements Machine {
  String javaVersion = "17.0.15";
  String sparkVersion = "4.2.0";
  long memoryBytes = 64L << 30;
  long sharedMemoryBytes = 8L << 30;
  boolean listens = true;
  boolean bindings = true;
  String matrixProduct = "openblas";
  DeviceFacts device = good(2);
  String address = "host/10.0.0.1";
  long openFiles = 65_536;
  String variable = "";
  String master = "yarn";
  List<String> openDoors = List.of();

  static DeviceFacts good(int gpus) {
    return new DeviceFacts(
        "13.0",
        "",
        java.util.stream.IntStream.range(0, gpus)
            .mapToObj(i -> new DeviceFacts.Gpu(i, 90, 80L << 30, 79L << 30, "NVIDIA H100"))
            .toList(),
        Map.of(
            "cudart", "13.0.0",
            "cublasLt", "13.1.0",
            "nvrtc", "13.0.0",
            "nccl", "2.28.3"),
        Map.of(),
        List.of(),
        true);
  }

  /** The same without a library. */
  static DeviceFacts without(DeviceFacts facts, String library, boolean ahead) {
    Map<String, String> left = new java.util.HashMap<>(facts.libraries());
    left.remove(library);
    return new DeviceFacts(
        facts.driver(),
        facts.refusal(),
        facts.gpus(),
        left,
        Map.of(library, "lib" + library + ".so: cannot open shared object file"),
        facts.apart(),
        ahead);
  }

  @Override
  public String javaVersion() {
    return javaVersion;
  }

  @Override
  public String sparkVersion() {
    if (sparkVersion.isEmpty()) {
      throw new NoClassDefFoundError("org/apache/spark/package$");
    }
    return sparkVersion;
  }

  @Override
  public long memoryBytes() {
    return memoryBytes;
  }

  @Override
  public Path sharedMemory() {
    return Path.of("/dev/shm");
  }

  @Override
  public long sharedMemoryBytes() {
    return sharedMemoryBytes;
  }

  @Override
  public int loopback() throws IOException {
    if (!listens) {
      throw new IOException("Network is unreachable");
    }
    return 40_000;
  }

  @Override
  public String ownAddress() throws IOException {
    if (!listens) {
      throw new IOException("unknown name");
    }
    return address;
  }

  @Override
  public String gpuFiles() {
    return device.gpus().size() + " GPU(s)";
  }

  @Override
  public String matrixProduct() {
    return matrixProduct;
  }

  @Override
  public boolean bindings() {
    return bindings;
  }

  @Override
  public DeviceFacts device() {
    return device;
  }

  @Override
  public long openFiles() {
    return openFiles;
  }

  @Override
  public boolean isSet(String name) {
    return variable.equals(name);
  }

  @Override
  public String master() {
    return master;
  }

  @Override
  public List<String> openDoors() {
    return openDoors;
  }
}
