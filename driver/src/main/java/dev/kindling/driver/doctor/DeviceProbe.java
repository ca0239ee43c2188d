package dev.kindling.driver.doctor;

import dev.kindling.kernels.backend.cuda.CudaProbe;
import java.io.File;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** Runs {@link CudaProbe} in a process of its own, so that a crash of the driver is a finding. */
public final class DeviceProbe {
  private static final long SECONDS = 60;

  /** What the kernel's driver shows, in a container too; WSL has the other one. */
  private static final List<Path> DRIVERS = List.of(Path.of("/dev/nvidiactl"), Path.of("/dev/dxg"));

  private DeviceProbe() {}

  /**
   * Whether this machine may have a usable GPU at all; costs nothing. {@link #run} says whether it
   * has one.
   */
  public static boolean hasDriver() {
    return DRIVERS.stream().anyMatch(Files::exists)
        && CudaBindings.complete(DeviceProbe.class.getClassLoader());
  }

  /** Facts of this machine, with the environment and class path of this process. */
  public static DeviceFacts run() throws InterruptedException {
    ClassLoader loader = DeviceProbe.class.getClassLoader();
    if (!CudaBindings.complete(loader)) {
      return DeviceFacts.none("cuda: " + CudaBindings.MISSING);
    }
    // Below spark-submit neither our jar nor the bindings are on the JVM's own class path.
    Set<String> path = new LinkedHashSet<>();
    CudaBindings.jars(loader).forEach(jar -> path.add(jar.toString()));
    path.add(own());
    path.add(System.getProperty("java.class.path"));
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    return run(
        List.of(
            java,
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=/dev/null",
            "-cp",
            String.join(File.pathSeparator, path),
            CudaProbe.class.getName()));
  }

  private static String own() {
    CodeSource source = CudaProbe.class.getProtectionDomain().getCodeSource();
    try {
      return source == null ? "" : Path.of(source.getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException("our own jar has no path: " + source.getLocation(), e);
    }
  }

  static DeviceFacts run(List<String> command) throws InterruptedException {
    List<String> lines = new ArrayList<>();
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
              .start();
      Thread reader =
          new Thread(() -> process.inputReader(StandardCharsets.UTF_8).lines().forEach(lines::add));
      reader.setDaemon(true);
      reader.start();
      boolean ended = process.waitFor(SECONDS, TimeUnit.SECONDS);
      if (!ended) {
        process.destroyForcibly().waitFor();
      }
      reader.join();
      return DeviceFacts.parse(
          lines,
          ended
              ? "ended the process with exit code " + process.exitValue()
              : "did not end within " + SECONDS + " s");
    } catch (IOException e) {
      return DeviceFacts.none("cuda: the probe could not be started: " + e);
    }
  }
}
