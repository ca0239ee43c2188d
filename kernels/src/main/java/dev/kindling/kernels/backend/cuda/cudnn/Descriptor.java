package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import java.util.List;
import org.bytedeco.cuda.cudnn.cudnnBackendDescriptor_t;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * A descriptor of cuDNN's graph interface: set attributes, {@link #finish}, then read or use it.
 */
final class Descriptor implements AutoCloseable {
  private final cudnnBackendDescriptor_t pointer = new cudnnBackendDescriptor_t();
  private final String name;
  private boolean closed;

  /**
   * @param type a cudnnBackendDescriptorType_t
   * @param name for messages
   */
  Descriptor(int type, String name) {
    this.name = name;
    CudnnStatus.check(
        cudnn.cudnnBackendCreateDescriptor(type, pointer), "cudnnBackendCreateDescriptor " + name);
  }

  cudnnBackendDescriptor_t pointer() {
    return pointer;
  }

  private Descriptor set(int attribute, int type, long count, Pointer values) {
    CudnnStatus.check(
        cudnn.cudnnBackendSetAttribute(pointer, attribute, type, count, values),
        "cudnnBackendSetAttribute " + attribute + " of " + name);
    return this;
  }

  /** An enumeration value. */
  Descriptor set(int attribute, int type, int value) {
    // IntPointer(int) would allocate so many elements.
    try (IntPointer one = new IntPointer(new int[] {value})) {
      return set(attribute, type, 1, one);
    }
  }

  Descriptor set(int attribute, boolean value) {
    try (BytePointer one = new BytePointer(1)) {
      one.put((byte) (value ? 1 : 0));
      return set(attribute, cudnn.CUDNN_TYPE_BOOLEAN, 1, one);
    }
  }

  Descriptor setLongs(int attribute, long... values) {
    try (LongPointer all = new LongPointer(values)) {
      return set(attribute, cudnn.CUDNN_TYPE_INT64, values.length, all);
    }
  }

  /** Addresses, of the device or of the host. */
  Descriptor setAddresses(int attribute, long... values) {
    try (LongPointer all = new LongPointer(values)) {
      return set(attribute, cudnn.CUDNN_TYPE_VOID_PTR, values.length, all);
    }
  }

  Descriptor set(int attribute, CudnnHandle handle) {
    // PointerPointer(Pointer) would be a cast.
    try (PointerPointer<Pointer> one = new PointerPointer<>(1)) {
      one.put(0, handle.context());
      return set(attribute, cudnn.CUDNN_TYPE_HANDLE, 1, one);
    }
  }

  Descriptor set(int attribute, Descriptor... others) {
    try (PointerPointer<Pointer> all = new PointerPointer<>(others.length)) {
      for (int i = 0; i < others.length; i++) {
        all.put(i, others[i].pointer);
      }
      return set(attribute, cudnn.CUDNN_TYPE_BACKEND_DESCRIPTOR, others.length, all);
    }
  }

  Descriptor finish() {
    CudnnStatus.check(cudnn.cudnnBackendFinalize(pointer), "cudnnBackendFinalize " + name);
    return this;
  }

  private long get(int attribute, int type, long count, Pointer values) {
    try (LongPointer found = new LongPointer(1)) {
      found.put(0);
      CudnnStatus.check(
          cudnn.cudnnBackendGetAttribute(pointer, attribute, type, count, found, values),
          "cudnnBackendGetAttribute " + attribute + " of " + name);
      return found.get();
    }
  }

  long getLong(int attribute) {
    try (LongPointer one = new LongPointer(1)) {
      if (get(attribute, cudnn.CUDNN_TYPE_INT64, 1, one) != 1) {
        throw new DeviceException("cuDNN returned no attribute " + attribute + " of " + name);
      }
      return one.get();
    }
  }

  /** At most limit enumeration values. */
  int[] getEnums(int attribute, int type, int limit) {
    try (IntPointer all = new IntPointer(limit)) {
      int[] values = new int[(int) Math.min(limit, get(attribute, type, limit, all))];
      all.get(values);
      return values;
    }
  }

  /** Fills descriptors that exist already; returns how many were filled. */
  int getDescriptors(int attribute, List<Descriptor> into) {
    try (PointerPointer<Pointer> all = new PointerPointer<>(into.size())) {
      for (int i = 0; i < into.size(); i++) {
        all.put(i, into.get(i).pointer);
      }
      long found = get(attribute, cudnn.CUDNN_TYPE_BACKEND_DESCRIPTOR, into.size(), all);
      return (int) Math.min(found, into.size());
    }
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      CudnnStatus.check(
          cudnn.cudnnBackendDestroyDescriptor(pointer), "cudnnBackendDestroyDescriptor " + name);
    }
  }
}
