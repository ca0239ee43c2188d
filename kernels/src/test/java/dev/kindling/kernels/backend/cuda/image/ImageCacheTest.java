package dev.kindling.kernels.backend.cuda.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageCacheTest {
  private static final byte[] IMAGE = "machine code".getBytes(StandardCharsets.UTF_8);

  @TempDir private Path folder;
  private ImageCache cache;
  private final AtomicInteger compilations = new AtomicInteger();

  @BeforeEach
  void open() {
    cache = new ImageCache(folder.resolve("kernels"));
  }

  private byte[] get(String key) {
    return cache.get(
        key,
        () -> {
          compilations.incrementAndGet();
          return IMAGE.clone();
        });
  }

  private static KernelSource source(String family, String text, Map<String, String> headers) {
    return new KernelSource(family, text, new TreeMap<>(headers));
  }

  @Test
  void whateverDecidesTheImageDecidesItsName() {
    List<String> options = List.of("-a", "-b");
    Map<String, String> headers = Map.of("h.cuh", "int x;");
    KernelSource source = source("norm", "text", headers);
    String key = ImageCache.key(source, options, "NVRTC 13.0");
    assertThat(key).matches("norm-[0-9a-f]{64}");
    assertThat(ImageCache.key(source("norm", "text", headers), options, "NVRTC 13.0"))
        .isEqualTo(key);
    assertThat(
            List.of(
                ImageCache.key(source, options, "NVRTC 13.1"),
                ImageCache.key(source, List.of("-b", "-a"), "NVRTC 13.0"),
                ImageCache.key(source, List.of("-a-b"), "NVRTC 13.0"),
                ImageCache.key(source("loss", "text", headers), options, "NVRTC 13.0"),
                ImageCache.key(source("norm", "text ", headers), options, "NVRTC 13.0"),
                ImageCache.key(
                    source("norm", "text", Map.of("h.cuh", "int y;")), options, "NVRTC 13.0"),
                ImageCache.key(
                    source("norm", "text", Map.of("g.cuh", "int x;")), options, "NVRTC 13.0")))
        .doesNotContain(key)
        .doesNotHaveDuplicates();
  }

  @Test
  void anImageIsCompiledOnce() {
    assertThat(get("k")).isEqualTo(IMAGE);
    assertThat(get("k")).isEqualTo(IMAGE);
    assertThat(compilations).hasValue(1);
    get("other");
    assertThat(compilations).hasValue(2);
  }

  @Test
  void aDamagedImageIsCompiledAgain() throws IOException {
    get("k");
    Path file = folder.resolve("kernels/k");
    byte[] good = Files.readAllBytes(file);
    for (int i = 0; i < good.length; i++) {
      byte[] bad = good.clone();
      bad[i] ^= 1;
      Files.write(file, bad);
      assertThat(get("k")).as("byte " + i + " flipped").isEqualTo(IMAGE);
      assertThat(Files.readAllBytes(file)).isEqualTo(good);
    }
    for (int length = 0; length < good.length; length++) {
      Files.write(file, java.util.Arrays.copyOf(good, length));
      assertThat(get("k")).as("cut to " + length).isEqualTo(IMAGE);
    }
    assertThat(compilations).hasValue(1 + 2 * good.length);
  }

  @Test
  void writersAtTheSameTimeLeaveOneWholeFileAndNoOther() throws Exception {
    int writers = 16;
    CountDownLatch all = new CountDownLatch(writers);
    ExecutorService threads = Executors.newFixedThreadPool(writers);
    try {
      List<Future<byte[]>> images =
          IntStream.range(0, writers)
              .mapToObj(
                  i ->
                      threads.submit(
                          () ->
                              cache.get(
                                  "k",
                                  () -> {
                                    all.countDown();
                                    await(all);
                                    return IMAGE.clone();
                                  })))
              .toList();
      for (Future<byte[]> image : images) {
        assertThat(image.get()).isEqualTo(IMAGE);
      }
    } finally {
      threads.shutdownNow();
    }
    try (Stream<Path> files = Files.list(folder.resolve("kernels"))) {
      assertThat(files).containsExactly(folder.resolve("kernels/k"));
    }
    assertThat(cache.find("k")).hasValue(IMAGE);
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aFolderThatCannotBeWrittenCostsTimeOnly() throws IOException {
    Files.writeString(folder.resolve("kernels"), "a file, no folder");
    assertThat(get("k")).isEqualTo(IMAGE);
    assertThat(get("k")).isEqualTo(IMAGE);
    assertThat(compilations).hasValue(2);
  }

  @Test
  void theUsersFolderFollowsTheEnvironment() {
    assertThat(ImageCache.ofUser(Map.of("KINDLING_CACHE", "/k", "XDG_CACHE_HOME", "/x")).folder())
        .isEqualTo(Path.of("/k/kernels"));
    assertThat(ImageCache.ofUser(Map.of("XDG_CACHE_HOME", "/x")).folder())
        .isEqualTo(Path.of("/x/kindling/kernels"));
    assertThat(ImageCache.ofUser(Map.of("KINDLING_CACHE", "")).folder())
        .isEqualTo(Path.of(System.getProperty("user.home"), ".cache/kindling/kernels"));
  }
}
