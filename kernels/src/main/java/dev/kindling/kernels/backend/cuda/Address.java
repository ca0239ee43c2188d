package dev.kindling.kernels.backend.cuda;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUgraph;
import jcuda.driver.CUstream;

/** Native handles whose number can be read, so that JCuda and JavaCPP can name the same thing. */
final class Address {
  private Address() {}

  /** Device memory. */
  static final class Device extends CUdeviceptr {
    Device() {}

    private Device(CUdeviceptr base, long offset) {
      super(base, offset);
    }

    /** JCuda cannot be given a number, but a null pointer plus an offset is one. */
    static Device at(long number) {
      return new Device(new CUdeviceptr(), number);
    }

    long number() {
      return getNativePointer() + getByteOffset();
    }
  }

  /** Pinned host memory. */
  static final class Host extends Pointer {
    ByteBuffer buffer(long bytes) {
      return getByteBuffer(0, bytes);
    }
  }

  /** A graph, once a capture or the like has made it. */
  static final class Graph extends CUgraph {
    boolean made() {
      return getNativePointer() != 0;
    }
  }

  /** A stream. */
  static final class Stream extends CUstream {
    long number() {
      return getNativePointer();
    }
  }
}
