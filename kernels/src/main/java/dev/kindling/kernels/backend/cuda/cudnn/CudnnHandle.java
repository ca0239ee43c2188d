package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import java.util.Optional;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.Pointer;

/** cuDNN on the CUDA context that was current when it was opened; one thread at a time. */
public final class CudnnHandle implements AutoCloseable {
  /** First version whose error strings and fused attention this package relies on. */
  private static final long OLDEST = 90_100;

  private static final long NEXT_MAJOR = 100_000;

  private final cudnnContext context;
  private final long version;
  private boolean closed;

  private CudnnHandle(cudnnContext context, long version) {
    this.context = context;
    this.version = version;
  }

  /**
   * Loads the library and opens it on the current CUDA context.
   *
   * @throws DeviceException if the library is missing, its version is refused or it cannot start
   */
  public static CudnnHandle open() {
    long version = loadedVersion();
    refusal(version)
        .ifPresent(
            why -> {
              throw new DeviceException("cuDNN " + version + " is refused: " + why);
            });
    cudnnContext context = new cudnnContext();
    CudnnStatus.check(cudnn.cudnnCreate(context), "cudnnCreate");
    return new CudnnHandle(context, version);
  }

  private static long loadedVersion() {
    try {
      return cudnn.cudnnGetVersion();
    } catch (LinkageError missing) {
      throw new DeviceException(
          "cuDNN 9 or the CUDA 13 libraries that it needs were not found on the library path: "
              + missing.getMessage(),
          missing);
    }
  }

  /**
   * Why fused attention must not run on a version, or nothing.
   *
   * @param version as cudnnGetVersion tells it: 91400 is 9.14.0
   */
  public static Optional<String> refusal(long version) {
    if (version < OLDEST || version >= NEXT_MAJOR) {
      return Optional.of("9.1.0 or a later 9 wanted");
    }
    if (version == 91_000 || version == 91_001) {
      return Optional.of("fused attention in bf16 is broken in 9.10.0 and 9.10.1");
    }
    return Optional.empty();
  }

  /** As cudnnGetVersion tells it: 91400 is 9.14.0. */
  public long version() {
    return version;
  }

  /** All later launches go to this stream (a CUstream's address; 0 is the default stream). */
  public void setStream(long stream) {
    try (Stream pointer = new Stream(stream)) {
      CudnnStatus.check(cudnn.cudnnSetStream(context(), pointer), "cudnnSetStream");
    }
  }

  cudnnContext context() {
    if (closed) {
      throw new IllegalStateException("cuDNN is closed");
    }
    return context;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      CudnnStatus.check(cudnn.cudnnDestroy(context), "cudnnDestroy");
    }
  }

  private static final class Stream extends CUstream_st {
    Stream(long value) {
      super((Pointer) null);
      address = value;
    }
  }
}
