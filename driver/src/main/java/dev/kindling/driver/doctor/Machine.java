package dev.kindling.driver.doctor;

import java.io.IOException;
import java.nio.file.Path;

/** Where the doctor's facts come from. */
interface Machine {
  /** As {@code 17.0.15}. */
  String javaVersion();

  /**
   * As {@code 4.2.0}.
   *
   * @throws LinkageError if there is no Spark on the class path
   */
  String sparkVersion();

  /** Bytes of memory that this machine or container may use. */
  long memoryBytes();

  /** Folder of memory files. */
  Path sharedMemory();

  /** Bytes that can still be written there; -1 if it cannot be written. */
  long sharedMemoryBytes();

  /**
   * Listens on the loopback interface and connects to it.
   *
   * @return the port that the system chose
   */
  int loopback() throws IOException;

  /** Address of this machine under its own name. */
  String ownAddress() throws IOException;

  /** GPUs that the kernel's driver shows, for a machine without a usable library. */
  String gpuFiles();

  boolean bindings();

  DeviceFacts device() throws InterruptedException;
}
