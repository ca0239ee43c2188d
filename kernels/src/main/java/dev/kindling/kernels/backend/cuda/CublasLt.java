package dev.kindling.kernels.backend.cuda;

import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
import static org.bytedeco.cuda.global.cublas.CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
import static org.bytedeco.cuda.global.cublas.cublasLtCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtGetStatusString;
import static org.bytedeco.cuda.global.cublas.cublasLtGetVersion;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulAlgoGetHeuristic;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceCreate;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceDestroy;
import static org.bytedeco.cuda.global.cublas.cublasLtMatmulPreferenceSetAttribute;

import dev.kindling.kernels.backend.ChoiceException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.memory.Closing;
import java.nio.ByteBuffer;
import org.bytedeco.cuda.cublas.cublasLtContext;
import org.bytedeco.cuda.cublas.cublasLtMatmulAlgo_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulHeuristicResult_t;
import org.bytedeco.cuda.cublas.cublasLtMatmulPreferenceOpaque_t;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * cuBLASLt of one device. The algorithm of a shape is what {@link ProductChoices} remembers, else
 * the fastest of the library's first suggestions, timed once on this device. In-place split
 * reductions are excluded: they add in the order in which blocks finish.
 */
final class CublasLt implements AutoCloseable {
  /** What the library's own documentation advises for Hopper. */
  static final long WORKSPACE_BYTES = 64L << 20;

  private static final int SUGGESTIONS = 8;
  private static final int REPETITIONS = 5;

  private final CudaDevice device;
  private final cublasLtContext handle = new cublasLtContext();
  private final CUstream_st stream;
  private final NativeAddress workspace;
  private final boolean measured;
  private final ProductChoices choices;

  CublasLt(CudaDevice device, boolean measured) {
    this.device = device;
    this.measured = measured;
    this.choices = new ProductChoices(device.name(), "cublasLt-" + cublasLtGetVersion());
    device.makeCurrent();
    check(cublasLtCreate(handle), "cublasLtCreate");
    stream = new CUstream_st(new NativeAddress(device.stream().number()));
    workspace = new NativeAddress(device.reserve(WORKSPACE_BYTES, "workspace of cuBLASLt"));
  }

  cublasLtContext handle() {
    return handle;
  }

  CUstream_st stream() {
    return stream;
  }

  NativeAddress workspace() {
    return workspace;
  }

  void check(int status, String call) {
    if (status != 0) {
      throw new DeviceException(text(status, call));
    }
  }

  private static String text(int status, String call) {
    String text = cublasLtGetStatusString(status).getString();
    return "cuda: " + call + ": " + text + " (" + status + ")";
  }

  /** A product ready to be issued; its algorithm is measured when shape or count are new. */
  Product product(ProductBatch batch, long a, long b, long d, long bias, long auxiliary) {
    String text = batch.toString();
    Product product = new Product(this, batch, a, b, d, bias, auxiliary);
    try (cublasLtMatmulAlgo_t algorithm = new cublasLtMatmulAlgo_t()) {
      byte[] known = choices.find(text);
      if (known != null) {
        if (known.length != algorithm.sizeof()) {
          String sizes = "expected " + algorithm.sizeof() + " bytes, found " + known.length;
          throw new ChoiceException(
              choices.key(text), "cuda: stored algorithm of " + text + ": " + sizes);
        }
        bytes(algorithm).put(known);
        product.use(algorithm);
        // A stored choice that this library cannot run must show now, not in the middle of a
        // capture.
        int status = product.tryIssue();
        if (status != 0) {
          throw new ChoiceException(choices.key(text), text(status, "stored algorithm of " + text));
        }
        return product;
      }
      float micros = fastest(product, batch.shape(), algorithm);
      byte[] content = new byte[Math.toIntExact(algorithm.sizeof())];
      bytes(algorithm).get(content);
      choices.add(text, content, micros);
      product.use(algorithm);
      return product;
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, product);
      throw failure;
    }
  }

  private static ByteBuffer bytes(cublasLtMatmulAlgo_t algorithm) {
    return new BytePointer(algorithm).capacity(algorithm.sizeof()).asByteBuffer();
  }

  ProductChoices choices() {
    return choices;
  }

  /** Writes the fastest algorithm there and returns its microseconds, 0 if nothing is measured. */
  private float fastest(Product product, ProductShape shape, cublasLtMatmulAlgo_t chosen) {
    float best = Float.MAX_VALUE;
    try (cublasLtMatmulHeuristicResult_t results =
            new cublasLtMatmulHeuristicResult_t(SUGGESTIONS);
        EventTimer timer = new EventTimer(device)) {
      int found = suggestions(product, shape, results);
      for (int i = 0; i < found; i++) {
        cublasLtMatmulHeuristicResult_t result = results.getPointer(i);
        product.use(result.algo());
        if (result.state() != 0 || product.tryIssue() != 0) {
          continue;
        }
        float micros = measured ? timer.median(product, REPETITIONS) : 0;
        if (micros < best) {
          best = micros;
          Pointer.memcpy(chosen, result.algo(), chosen.sizeof());
        }
      }
    }
    if (best == Float.MAX_VALUE) {
      throw new DeviceException("cuda: cuBLASLt has no algorithm for " + shape);
    }
    return best;
  }

  /**
   * Who may add the parts of a split sum. Gradients of weights are sums over all tokens and are
   * split most: stored in bf16 they are rounded once, behind a sum in fp32.
   */
  private static int reductions(ProductShape shape) {
    boolean narrowSum = shape.transposeA() && shape.result() == Element.BF16;
    return narrowSum
        ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
        : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
  }

  private int suggestions(
      Product product, ProductShape shape, cublasLtMatmulHeuristicResult_t results) {
    try (PointerPointer<cublasLtMatmulPreferenceOpaque_t> out = new PointerPointer<>(1);
        LongPointer bytes = new LongPointer(1);
        IntPointer schemes = new IntPointer(1)) {
      check(cublasLtMatmulPreferenceCreate(out), "cublasLtMatmulPreferenceCreate");
      cublasLtMatmulPreferenceOpaque_t preference = new cublasLtMatmulPreferenceOpaque_t(out.get());
      try {
        bytes.put(WORKSPACE_BYTES);
        schemes.put(reductions(shape));
        set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, bytes, Long.BYTES);
        set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes, Integer.BYTES);
        int[] found = new int[1];
        check(
            cublasLtMatmulAlgoGetHeuristic(
                handle,
                product.operation,
                product.left,
                product.right,
                product.result,
                product.result,
                preference,
                SUGGESTIONS,
                results,
                found),
            "cublasLtMatmulAlgoGetHeuristic for " + product);
        return found[0];
      } finally {
        check(cublasLtMatmulPreferenceDestroy(preference), "cublasLtMatmulPreferenceDestroy");
      }
    }
  }

  private void set(
      cublasLtMatmulPreferenceOpaque_t preference, int attribute, Pointer content, long bytes) {
    check(
        cublasLtMatmulPreferenceSetAttribute(preference, attribute, content, bytes),
        "cublasLtMatmulPreferenceSetAttribute " + attribute);
  }

  @Override
  public void close() {
    device.makeCurrent();
    check(cublasLtDestroy(handle), "cublasLtDestroy");
  }
}
