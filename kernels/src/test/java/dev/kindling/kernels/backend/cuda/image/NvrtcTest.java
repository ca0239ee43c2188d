package dev.kindling.kernels.backend.cuda.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.kindling.kernels.backend.DeviceException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real library, where it is installed; it needs no GPU. */
class NvrtcTest {
  private static final byte[] ELF = {0x7f, 'E', 'L', 'F'};

  private Nvrtc nvrtc;
  @TempDir private Path folder;

  @BeforeEach
  void load() {
    try {
      nvrtc = new Nvrtc();
    } catch (DeviceException missing) {
      assertThat(missing).hasMessageContaining("libnvrtc.so.13");
      abort("skipped: no NVRTC here: " + missing.getMessage());
    }
  }

  @Test
  void everyShippedSourceBecomesMachineCodeForHopperAndPtxForTheRest() throws Exception {
    List<String> notices = new ArrayList<>();
    KernelImages images = new KernelImages(new ImageCache(folder), () -> nvrtc, notices::add);
    List<KernelSource> sources = KernelSourceTest.shipped();
    Map<String, byte[]> hopper = images.compiled(sources, 90);
    assertThat(hopper).hasSize(sources.size());
    assertThat(hopper).allSatisfy((family, image) -> assertThat(image).startsWith(ELF));
    assertThat(images.compiled(sources, 80))
        .allSatisfy(
            (family, image) ->
                assertThat(new String(image, StandardCharsets.UTF_8))
                    .contains(".target sm_80", ".entry"));
    assertThat(notices).hasSize(2).allMatch(line -> line.contains("NVRTC 13."));
  }

  @Test
  void aMistakeIsToldWithFileAndLine() {
    KernelSource wrong = new KernelSource("wrong", "int a;\nvoid f() { b; }", new TreeMap<>());
    assertThatThrownBy(() -> nvrtc.compile(wrong, KernelImages.options(90)))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining("refuses wrong.cu (--gpu-architecture=sm_90a -std=c++17)")
        .hasMessageContaining("wrong.cu(2)")
        .hasMessageContaining("\"b\" is undefined");
  }
}
