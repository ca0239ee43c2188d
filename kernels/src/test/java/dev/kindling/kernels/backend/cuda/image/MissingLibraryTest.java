package dev.kindling.kernels.backend.cuda.image;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MissingLibraryTest {
  @Test
  void theLibraryThatTheSystemMissesIsFoundBelowTheBindingThatNeedsIt() {
    LinkageError javacpp = new UnsatisfiedLinkError("no jnicudart in java.library.path: /usr/lib");
    javacpp.initCause(
        new UnsatisfiedLinkError(
            "/home/user/.javacpp/cache/x.jar/org/libjnicudart.so: libcuda.so.1: cannot open shared"
                + " object file: No such file or directory"));
    assertThat(MissingLibrary.reason(javacpp))
        .isEqualTo("libcuda.so.1: cannot open shared object file");
  }

  @Test
  void itIsFoundInTheMiddleOfManyLines() {
    String jcuda =
        """
        Error while loading native library "JCudaDriver-12.6.0-linux-x86_64"
        ---(start of nested stack traces)---
        java.lang.UnsatisfiedLinkError: no JCudaDriver in java.library.path: /usr/lib
        java.lang.UnsatisfiedLinkError: /tmp/a/libJCudaDriver.so: libcuda.so.1: cannot open shared object file: No such file
        """;
    assertThat(MissingLibrary.reason(new UnsatisfiedLinkError(jcuda)))
        .isEqualTo("libcuda.so.1: cannot open shared object file");
  }

  @Test
  void anOlderSystemLibraryIsNamedToo() {
    assertThat(
            MissingLibrary.reason(
                new UnsatisfiedLinkError(
                    "/x/libjnicudnn.so: /lib/libm.so.6: version `GLIBC_2.38' not found (required by"
                        + " /x)")))
        .isEqualTo("libm.so.6: version `GLIBC_2.38' not found");
  }

  @Test
  void anythingElseKeepsItsFirstLine() {
    assertThat(MissingLibrary.reason(new NoClassDefFoundError("jcuda/driver/JCudaDriver\nmore")))
        .isEqualTo("java.lang.NoClassDefFoundError: jcuda/driver/JCudaDriver");
    assertThat(MissingLibrary.reason(new ExceptionInInitializerError()))
        .contains("ExceptionInInitializerError");
  }
}
