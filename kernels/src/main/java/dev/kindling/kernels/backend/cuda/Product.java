package dev.kindling.kernels.backend.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_DEFAULT;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_DGELU;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_GELU;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_GELU_AUX;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_GELU_AUX_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_EPILOGUE_GELU_BIAS;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSA;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_DESC_TRANSB;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET;
import static org.bytedeco.cuda.global.cublas.CUBLAS_COMPUTE_32F;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_N;
import static org.bytedeco.cuda.global.cublas.CUBLAS_OP_T;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmul;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulDescSetAttribute;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatrixLayoutSetAttribute;
import static org.bytedeco.cuda.global.cudart.CUDA_R_16BF;
import static org.bytedeco.cuda.global.cudart.CUDA_R_32F;

import dev.kindling.kernels.backend.cuda.layout.Element;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulDescOpaque_t;
import org.bytedeco.cuda.cublas.cublasLtMatrixLayoutOpaque_t;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * One cuBLASLt product, or a batch of one shape, with its descriptors and addresses. The library is
 * column-major: a row-major [r, c] is its c x r, so D = op(A) op(B) becomes D' = op(B)' op(A)' with
 * the operands exchanged.
 */
final class Product implements Command, AutoCloseable {
  private final CublasLt blas;
  private final ProductBatch batch;
  private final ProductShape shape;
  final cublasLtMatmulDescOpaque_t operation;
  final cublasLtMatrixLayoutOpaque_t left;
  final cublasLtMatrixLayoutOpaque_t right;
  final cublasLtMatrixLayoutOpaque_t result;
  private final NativeAddress a;
  private final NativeAddress b;
  private final NativeAddress d;
  private final FloatPointer alpha = new FloatPointer(1f);
  private final FloatPointer beta;
  private final cublasLtMatmulAlgo_t algorithm = new cublasLtMatmulAlgo_t();

  /**
   * @param bias device address, 0 without
   * @param auxiliary device address, 0 without
   */
  Product(CublasLt blas, ProductBatch batch, long a, long b, long d, long bias, long auxiliary) {
    this.blas = blas;
    this.batch = batch;
    this.shape = batch.shape();
    this.a = new NativeAddress(a);
    this.b = new NativeAddress(b);
    this.d = new NativeAddress(d);
    beta = new FloatPointer(shape.accumulate() ? 1f : 0f);
    operation = operation(bias, auxiliary);
    left =
        layout(
            shape.operands(),
            shape.transposeB() ? shape.k() : shape.n(),
            shape.transposeB() ? shape.n() : shape.k(),
            shape.strideB(),
            batch.apartB());
    right =
        layout(
            shape.operands(),
            shape.transposeA() ? shape.m() : shape.k(),
            shape.transposeA() ? shape.k() : shape.m(),
            shape.strideA(),
            batch.apartA());
    result = layout(shape.result(), shape.n(), shape.m(), shape.strideD(), batch.apartD());
  }

  private cublasLtMatmulDescOpaque_t operation(long bias, long auxiliary) {
    cublasLtMatmulDescOpaque_t made;
    try (PointerPointer<cublasLtMatmulDescOpaque_t> out = new PointerPointer<>(1)) {
      blas.check(
          cublasLtMatmulDescCreate(out, CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "cublasLtMatmulDescCreate");
      made = new cublasLtMatmulDescOpaque_t(out.get());
    }
    set(made, CUBLASLT_MATMUL_DESC_TRANSA, shape.transposeB() ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(made, CUBLASLT_MATMUL_DESC_TRANSB, shape.transposeA() ? CUBLAS_OP_T : CUBLAS_OP_N);
    int epilogue =
        switch (shape.epilogue()) {
          case NONE -> CUBLASLT_EPILOGUE_DEFAULT;
          case BIAS -> CUBLASLT_EPILOGUE_BIAS;
          case GELU -> auxiliary != 0 ? CUBLASLT_EPILOGUE_GELU_AUX : CUBLASLT_EPILOGUE_GELU;
          case GELU_BIAS ->
              auxiliary != 0 ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_BIAS;
          case GELU_GRADIENT -> CUBLASLT_EPILOGUE_DGELU;
        };
    set(made, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    if (bias != 0) {
      set(made, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    }
    if (auxiliary != 0) {
      set(made, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, auxiliary);
      set(made, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, (long) shape.strideAux());
    }
    return made;
  }

  private void set(cublasLtMatmulDescOpaque_t of, int attribute, int value) {
    try (IntPointer content = new IntPointer(1)) {
      content.put(value);
      set(of, attribute, content, Integer.BYTES);
    }
  }

  private void set(cublasLtMatmulDescOpaque_t of, int attribute, long value) {
    try (LongPointer content = new LongPointer(1)) {
      content.put(value);
      set(of, attribute, content, Long.BYTES);
    }
  }

  private void set(cublasLtMatmulDescOpaque_t of, int attribute, Pointer content, long bytes) {
    blas.check(
        cublasLtMatmulDescSetAttribute(of, attribute, content, bytes),
        "cublasLtMatmulDescSetAttribute " + attribute + " of " + shape);
  }

  private cublasLtMatrixLayoutOpaque_t layout(
      Element element, int rows, int columns, int stride, long apart) {
    int type = element == Element.BF16 ? CUDA_R_16BF : CUDA_R_32F;
    try (PointerPointer<cublasLtMatrixLayoutOpaque_t> out = new PointerPointer<>(1)) {
      blas.check(
          cublasLtMatrixLayoutCreate(out, type, rows, columns, stride),
          "cublasLtMatrixLayoutCreate " + shape);
      cublasLtMatrixLayoutOpaque_t made = new cublasLtMatrixLayoutOpaque_t(out.get());
      if (batch.count() > 1) {
        repeat(made, apart);
      }
      return made;
    }
  }

  private void repeat(cublasLtMatrixLayoutOpaque_t layout, long apart) {
    try (IntPointer count = new IntPointer(1);
        LongPointer offset = new LongPointer(1)) {
      count.put(batch.count());
      offset.put(apart);
      blas.check(
          cublasLtMatrixLayoutSetAttribute(
              layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count, Integer.BYTES),
          "cublasLtMatrixLayoutSetAttribute batch count of " + batch);
      blas.check(
          cublasLtMatrixLayoutSetAttribute(
              layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, offset, Long.BYTES),
          "cublasLtMatrixLayoutSetAttribute batch offset of " + batch);
    }
  }

  /** The algorithm that {@link #issue} will use; a copy is kept. */
  void use(cublasLtMatmulAlgo_t chosen) {
    Pointer.memcpy(algorithm, chosen, algorithm.sizeof());
  }

  @Override
  public void issue() {
    blas.check(tryIssue(), toString());
  }

  int tryIssue() {
    return cublasLtMatmul(
        blas.handle(),
        operation,
        alpha,
        b,
        left,
        a,
        right,
        beta,
        d,
        result,
        d,
        result,
        algorithm,
        blas.workspace(),
        CublasLt.WORKSPACE_BYTES,
        blas.stream());
  }

  @Override
  public String toString() {
    return "cublasLtMatmul " + batch;
  }

  @Override
  public void close() {
    blas.check(cublasLtMatmulDescDestroy(operation), "cublasLtMatmulDescDestroy");
    blas.check(cublasLtMatrixLayoutDestroy(left), "cublasLtMatrixLayoutDestroy");
    blas.check(cublasLtMatrixLayoutDestroy(right), "cublasLtMatrixLayoutDestroy");
    blas.check(cublasLtMatrixLayoutDestroy(result), "cublasLtMatrixLayoutDestroy");
    alpha.close();
    beta.close();
    algorithm.close();
  }
}
