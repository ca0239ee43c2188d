package dev.kindling.kernels.backend.cuda.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelImagesTest {
  private static final List<KernelSource> SOURCES =
      List.of(
          new KernelSource("one", "text of one", new TreeMap<>()),
          new KernelSource("two", "text of two", new TreeMap<>()));

  @TempDir private Path folder;
  private final List<String> notices = new ArrayList<>();
  private final List<String> compiled = Collections.synchronizedList(new ArrayList<>());

  private KernelImages images(KernelCompiler compiler) {
    return new KernelImages(new ImageCache(folder), () -> compiler, notices::add);
  }

  /** Says what it was asked to compile. */
  private class Echo implements KernelCompiler {
    @Override
    public String identity() {
      return "echo 1";
    }

    @Override
    public byte[] compile(KernelSource source, List<String> options) {
      compiled.add(source.family());
      return (source.text() + " " + options.get(0)).getBytes(StandardCharsets.UTF_8);
    }
  }

  @Test
  void sourcesAreCompiledForTheDeviceOnceAndSaidOnce() {
    for (int start = 0; start < 2; start++) {
      assertThat(images(new Echo()).compiled(SOURCES, 90))
          .containsOnlyKeys("one", "two")
          .hasEntrySatisfying(
              "two",
              image ->
                  assertThat(new String(image, StandardCharsets.UTF_8))
                      .isEqualTo("text of two --gpu-architecture=sm_90a"));
    }
    assertThat(compiled).containsExactlyInAnyOrder("one", "two");
    assertThat(notices)
        .singleElement()
        .asString()
        .contains("compiling 2 kernel files", "echo 1", folder.toString());
  }

  @Test
  void otherDevicesThanHopperGetThePtxOfTheBuild() {
    assertThat(KernelImages.options(80)).contains("--gpu-architecture=compute_80");
    assertThat(KernelImages.options(100)).contains("--gpu-architecture=compute_80");
    images(new Echo()).compiled(SOURCES, 90);
    images(new Echo()).compiled(SOURCES, 80);
    assertThat(compiled).hasSize(4);
  }

  @Test
  void allFilesAreCompiledAtTheSameTime() {
    CyclicBarrier together = new CyclicBarrier(SOURCES.size());
    KernelCompiler waiting =
        new Echo() {
          @Override
          public byte[] compile(KernelSource source, List<String> options) {
            try {
              together.await();
            } catch (Exception e) {
              throw new IllegalStateException(e);
            }
            return super.compile(source, options);
          }
        };
    assertThat(images(waiting).compiled(SOURCES, 90)).hasSize(2);
  }

  @Test
  void theCompilersRefusalReachesTheCallerAndNothingIsKept() {
    KernelCompiler refusing =
        new Echo() {
          @Override
          public byte[] compile(KernelSource source, List<String> options) {
            throw new DeviceException("cuda: echo refuses " + source.family());
          }
        };
    assertThatThrownBy(() -> images(refusing).compiled(SOURCES, 90))
        .isInstanceOf(DeviceException.class)
        .hasMessage("cuda: echo refuses one");
    images(new Echo()).compiled(SOURCES, 90);
    assertThat(compiled).hasSize(2);
  }

  @Test
  void aCompilerIsNotAskedForWhereTheBuildCompiledEverything() {
    KernelImages images =
        new KernelImages(
            new ImageCache(folder),
            () -> {
              throw new AssertionError("asked");
            },
            notices::add);
    assertThat(images.load(List.of(), 90)).isEmpty();
    assertThat(notices).isEmpty();
  }
}
