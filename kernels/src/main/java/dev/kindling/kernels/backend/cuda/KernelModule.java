package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.image.ImageCache;
import dev.kindling.kernels.backend.cuda.image.KernelImages;
import dev.kindling.kernels.backend.cuda.image.Nvrtc;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;

/** Our kernels, one module per source file. */
final class KernelModule implements AutoCloseable {
  /** One name per file of {@code src/main/cuda}. */
  static final List<String> FAMILIES =
      List.of(
          "adapter",
          "attention",
          "attention_key_gradient",
          "attention_query_gradient",
          "cache",
          "column",
          "direction",
          "element",
          "embedding",
          "exposed",
          "factored",
          "hash",
          "int8",
          "loss",
          "nf4",
          "norm",
          "outer",
          "perturb",
          "quantized",
          "random",
          "rope",
          "scaled",
          "sketch",
          "subspace",
          "update");

  private final CudaDevice device;
  private final List<CUmodule> modules = new ArrayList<>();
  private final Map<String, CUfunction> functions = new HashMap<>();

  /**
   * @param notices hears it if kernels have to be compiled first
   */
  KernelModule(CudaDevice device, Consumer<String> notices) {
    this.device = device;
    KernelImages images = new KernelImages(ImageCache.ofUser(System.getenv()), Nvrtc::new, notices);
    Map<String, byte[]> loaded = images.load(FAMILIES, device.capability());
    device.makeCurrent();
    loaded.forEach(
        (family, image) -> {
          CUmodule module = new CUmodule();
          check(JCudaDriver.cuModuleLoadData(module, image), "cuModuleLoadData " + family);
          modules.add(module);
        });
  }

  /** The kernel of this name; each is looked up once. */
  CUfunction function(String name) {
    return functions.computeIfAbsent(name, this::lookUp);
  }

  private CUfunction lookUp(String name) {
    device.makeCurrent();
    for (CUmodule module : modules) {
      CUfunction function = new CUfunction();
      if (JCudaDriver.cuModuleGetFunction(function, module, name) == 0) {
        return function;
      }
    }
    throw new DeviceException("cuda: no kernel " + name + " in " + FAMILIES);
  }

  /** Allows a kernel more shared memory than the 48 KiB that every kernel may have. */
  void allowShared(String name, int bytes) {
    int most = device.sharedBytes();
    if (bytes > most) {
      throw new DeviceException(
          "cuda: kernel %s: expected %,d bytes of shared memory a block, found at most %,d on %s"
              .formatted(name, bytes, most, device.name()));
    }
    check(
        JCudaDriver.cuFuncSetAttribute(
            function(name),
            CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            bytes),
        "cuFuncSetAttribute shared memory of " + name + " to " + bytes);
  }

  @Override
  public void close() {
    device.makeCurrent();
    for (CUmodule module : modules) {
      check(JCudaDriver.cuModuleUnload(module), "cuModuleUnload");
    }
  }
}
