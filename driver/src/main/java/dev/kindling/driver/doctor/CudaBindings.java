package dev.kindling.driver.doctor;

import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** The optional jars through which Java calls CUDA. */
public final class CudaBindings {
  static final String MISSING =
      "the CUDA bindings are not on the class path; expected kindling-cuda-VERSION.jar beside the"
          + " application jar (spark-submit: --jars)";

  /** One class or library of each jar, which may be one jar or several. */
  private static final List<String> PARTS =
      List.of(
          "org/bytedeco/cuda/global/nvrtc.class",
          "org/bytedeco/cuda/linux-x86_64/libjnicudart.so",
          "jcuda/driver/JCudaDriver.class",
          "lib/libJCudaDriver-12.6.0-linux-x86_64.so");

  private CudaBindings() {}

  /** Whether everything is there. */
  static boolean complete(ClassLoader loader) {
    return PARTS.stream().allMatch(part -> loader.getResource(part) != null);
  }

  /** The jars that hold them; none where they are missing. */
  public static List<Path> jars(ClassLoader loader) {
    Set<Path> jars = new LinkedHashSet<>();
    for (String part : PARTS) {
      URL url = loader.getResource(part);
      try {
        if (url != null && url.openConnection() instanceof JarURLConnection jar) {
          jars.add(Path.of(jar.getJarFileURL().toURI()));
        }
      } catch (IOException | URISyntaxException unreadable) {
        throw new IllegalStateException("a jar that is on the class path: " + url, unreadable);
      }
    }
    return List.copyOf(jars);
  }
}
