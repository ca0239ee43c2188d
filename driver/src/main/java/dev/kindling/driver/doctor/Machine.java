package dev.kindling.driver.doctor;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

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

  /** Files that a process may have open; -1 if unknown. */
  long openFiles();

  /** Name of the matrix product that a run with OpenBLAS would get here. */
  String matrixProduct();

  /** Whether an environment variable is set. */
  boolean isSet(String variable);

  /** Spark's master as spark-submit set it; empty if nobody did. */
  String master();

  /** Why a run with the settings of spark-submit would be refused as open to strangers. */
  List<String> openDoors();

  DeviceFacts device() throws InterruptedException;
}
