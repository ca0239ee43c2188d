package dev.kindling.driver.doctor;

import com.sun.management.OperatingSystemMXBean;
import com.sun.management.UnixOperatingSystemMXBean;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cuda.VisibleGpus;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;

/** The machine that the doctor runs on. */
final class ThisMachine implements Machine {
  private static final Path SHARED_MEMORY = Path.of("/dev/shm");
  private static final int CONNECT_MILLIS = 2_000;

  private final Supplier<List<String>> doors;

  ThisMachine(Supplier<List<String>> doors) {
    this.doors = doors;
  }

  @Override
  public String javaVersion() {
    return System.getProperty("java.version");
  }

  @Override
  public String sparkVersion() {
    return org.apache.spark.package$.MODULE$.SPARK_VERSION();
  }

  /** The JDK's bean knows the limits of a container. */
  @Override
  public long memoryBytes() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }

  @Override
  public Path sharedMemory() {
    return SHARED_MEMORY;
  }

  @Override
  public long sharedMemoryBytes() {
    try {
      return Files.isWritable(SHARED_MEMORY)
          ? Files.getFileStore(SHARED_MEMORY).getUsableSpace()
          : -1;
    } catch (IOException unreadable) {
      return -1;
    }
  }

  @Override
  public int loopback() throws IOException {
    InetAddress loopback = InetAddress.getLoopbackAddress();
    try (ServerSocket server = new ServerSocket(0, 1, loopback);
        Socket client = new Socket()) {
      client.connect(new InetSocketAddress(loopback, server.getLocalPort()), CONNECT_MILLIS);
      return server.getLocalPort();
    }
  }

  @Override
  public String ownAddress() throws IOException {
    return InetAddress.getLocalHost().toString();
  }

  @Override
  public String gpuFiles() {
    return VisibleGpus.ofThisProcess().toString();
  }

  @Override
  public String matrixProduct() {
    return Matmul.openBlas(1).name();
  }

  @Override
  public boolean bindings() {
    return CudaBindings.complete(ThisMachine.class.getClassLoader());
  }

  @Override
  public long openFiles() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class)
            instanceof UnixOperatingSystemMXBean unix
        ? unix.getMaxFileDescriptorCount()
        : -1;
  }

  @Override
  public boolean isSet(String variable) {
    return System.getenv(variable) != null;
  }

  @Override
  public String master() {
    return System.getProperty("spark.master", "");
  }

  @Override
  public List<String> openDoors() {
    try {
      return doors.get();
    } catch (LinkageError noSpark) {
      // Which is a finding of its own.
      return List.of();
    }
  }

  @Override
  public DeviceFacts device() throws InterruptedException {
    return DeviceProbe.run();
  }
}
