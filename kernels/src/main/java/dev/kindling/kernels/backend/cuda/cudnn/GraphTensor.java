package dev.kindling.kernels.backend.cuda.cudnn;

/**
 * One tensor of an operation graph.
 *
 * @param id unique in its graph; names the tensor in the pack of addresses
 * @param type a cudnnDataType_t
 * @param dims four sizes
 * @param strides in elements, of each axis
 */
record GraphTensor(long id, String name, int type, long[] dims, long[] strides, Place place) {
  /** What every address in device memory is a multiple of, in bytes. */
  static final long ALIGNMENT = 16;

  enum Place {
    /** In device memory; its address comes with each launch. */
    MEMORY,
    /** Exists only between two operations of a fused kernel. */
    VIRTUAL,
    /** One number in host memory. */
    VALUE
  }

  long elements() {
    return dims[0] * dims[1] * dims[2] * dims[3];
  }

  static long[] dense(long[] dims) {
    return new long[] {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1};
  }
}
