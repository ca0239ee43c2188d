package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.BytePointer;

/** Turns cuDNN's status codes into exceptions. */
final class CudnnStatus {
  private static final int MESSAGE_BYTES = 4096;

  private CudnnStatus() {}

  static void check(int status, String call) {
    if (status != cudnn.CUDNN_STATUS_SUCCESS) {
      throw new DeviceException(describe(status, call));
    }
  }

  private static String describe(int status, String call) {
    try (BytePointer message = new BytePointer(MESSAGE_BYTES)) {
      message.put(0, (byte) 0);
      cudnn.cudnnGetLastErrorString(message, MESSAGE_BYTES);
      return "%s failed: %s (%d): %s"
          .formatted(
              call, cudnn.cudnnGetErrorString(status).getString(), status, message.getString());
    }
  }
}
