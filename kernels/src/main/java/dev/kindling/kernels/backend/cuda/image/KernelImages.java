package dev.kindling.kernels.backend.cuda.image;

import dev.kindling.kernels.backend.DeviceException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** What the driver loads for each kernel family. */
public final class KernelImages {
  /** NVRTC recurses deeply and dies with the process where a stack of 1 MiB ends. */
  private static final long STACK_BYTES = 256L << 20;

  private static final int HOPPER = 90;

  private final ImageCache cache;
  private final Supplier<KernelCompiler> compiler;
  private final Consumer<String> notices;

  /**
   * @param compiler asked for only where this build holds no compiled kernels
   * @param notices hears once that kernels are being compiled, which takes seconds
   */
  public KernelImages(
      ImageCache cache, Supplier<KernelCompiler> compiler, Consumer<String> notices) {
    this.cache = cache;
    this.compiler = compiler;
    this.notices = notices;
  }

  /**
   * Images by family, in the order given: what the build compiled, else the cache's, else compiled
   * now, all families at a time.
   *
   * @param capability compute capability of the device, for example 90
   * @throws DeviceException if kernels have to be compiled and cannot be
   */
  public Map<String, byte[]> load(List<String> families, int capability) {
    Map<String, byte[]> images = new LinkedHashMap<>();
    List<KernelSource> sources = new ArrayList<>();
    for (String family : families) {
      Optional<byte[]> ahead = KernelSource.bytes("/cuda/" + family + ".fatbin");
      images.put(family, ahead.orElseGet(() -> new byte[0]));
      if (ahead.isEmpty()) {
        sources.add(KernelSource.shipped(family));
      }
    }
    if (!sources.isEmpty()) {
      images.putAll(compiled(sources, capability));
    }
    return images;
  }

  /**
   * Hopper's own instructions where they exist; everywhere else the PTX that a build with nvcc
   * ships, which the driver turns into machine code.
   */
  static List<String> options(int capability) {
    return List.of(
        "--gpu-architecture=" + (capability == HOPPER ? "sm_90a" : "compute_80"), "-std=c++17");
  }

  Map<String, byte[]> compiled(List<KernelSource> sources, int capability) {
    List<String> options = options(capability);
    KernelCompiler with = compiler.get();
    String identity = with.identity();
    Map<String, byte[]> images = new LinkedHashMap<>();
    Map<String, FutureTask<byte[]>> tasks = new LinkedHashMap<>();
    for (KernelSource source : sources) {
      String key = ImageCache.key(source, options, identity);
      Optional<byte[]> kept = cache.find(key);
      if (kept.isPresent()) {
        images.put(source.family(), kept.get());
      } else {
        tasks.put(
            source.family(),
            new FutureTask<>(() -> cache.get(key, () -> with.compile(source, options))));
      }
    }
    if (!tasks.isEmpty()) {
      notices.accept(
          "compiling %d kernel files (%s, once for this machine; %s)"
              .formatted(tasks.size(), identity, cache.folder()));
    }
    tasks.forEach((family, task) -> start(family, task));
    tasks.forEach((family, task) -> images.put(family, result(family, task)));
    return images;
  }

  private static void start(String family, FutureTask<byte[]> task) {
    Thread thread = new Thread(null, task, "compile-" + family, STACK_BYTES);
    thread.setDaemon(true);
    thread.start();
  }

  private static byte[] result(String family, FutureTask<byte[]> task) {
    try {
      return task.get();
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof DeviceException refused) {
        throw refused;
      }
      throw new DeviceException("cuda: kernels of " + family + ": " + failed.getCause(), failed);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new DeviceException("cuda: interrupted while kernels were compiled", stopped);
    }
  }
}
