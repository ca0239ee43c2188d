package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URL;
import java.net.URLClassLoader;
import org.junit.jupiter.api.Test;

class CudaBindingsTest {
  @Test
  void theBindingsAreTheJarsThatHoldTheClassesAndLibrariesThatWeLoad() throws Exception {
    assertThat(CudaBindings.jars(CudaBindingsTest.class.getClassLoader()))
        .extracting(jar -> String.valueOf(jar.getFileName()))
        .anyMatch(name -> name.matches("cuda-13.*\\.jar"))
        .anyMatch(name -> name.startsWith("jcuda-natives-"))
        .hasSize(4)
        .doesNotHaveDuplicates();
    assertThat(CudaBindings.complete(CudaBindingsTest.class.getClassLoader())).isTrue();
    try (URLClassLoader nothing = new URLClassLoader(new URL[0], null)) {
      assertThat(CudaBindings.jars(nothing)).isEmpty();
      assertThat(CudaBindings.complete(nothing)).isFalse();
    }
  }
}
