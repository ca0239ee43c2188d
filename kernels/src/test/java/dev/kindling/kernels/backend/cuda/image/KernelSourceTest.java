package dev.kindling.kernels.backend.cuda.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelSourceTest {
  private static final Path SOURCES = Path.of("src/main/cuda");

  static List<KernelSource> shipped() throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return files
          .map(file -> String.valueOf(file.getFileName()))
          .filter(name -> name.endsWith(".cu"))
          .sorted()
          .map(name -> KernelSource.shipped(name.substring(0, name.length() - 3)))
          .toList();
    }
  }

  private static KernelSource of(Map<String, String> files) {
    return KernelSource.of("a", name -> Optional.ofNullable(files.get(name)));
  }

  @Test
  void headersOfHeadersComeAlongAndCirclesEnd() {
    KernelSource source =
        of(
            Map.of(
                "a.cu", "#include \"b.cuh\"\nint x;",
                "b.cuh", "# include \"c.cuh\"",
                "c.cuh", "#pragma once\n#include \"b.cuh\"",
                "d.cuh", "unused"));
    assertThat(source.text()).endsWith("int x;");
    assertThat(source.headers()).containsOnlyKeys("b.cuh", "c.cuh");
  }

  @Test
  void headersOutsideTheJarAreRefusedByName() {
    assertThatThrownBy(
            () ->
                of(
                    Map.of(
                        "a.cu", "#include \"b.cuh\"",
                        "b.cuh", "int y;\n #  include <cuda_bf16.h>")))
        .hasMessage("b.cuh: expected headers of the jar only, found <cuda_bf16.h>");
    assertThatThrownBy(() -> of(Map.of("a.cu", "#include \"gone.cuh\"")))
        .hasMessage("a.cu: no header gone.cuh");
    assertThatThrownBy(() -> KernelSource.shipped("nothing"))
        .hasMessage("no kernel source nothing.cu");
  }

  @Test
  void everyShippedSourceCompilesInAFolderThatHoldsNothingButItsHeaders(@TempDir Path folder)
      throws Exception {
    Optional<String> nvcc = nvcc();
    assumeTrue(nvcc.isPresent(), "skipped: no nvcc on the PATH or in /usr/local/cuda");
    List<Process> compilers = new ArrayList<>();
    List<KernelSource> sources = shipped();
    assertThat(sources).isNotEmpty();
    for (KernelSource source : sources) {
      Path place = Files.createDirectory(folder.resolve(source.family()));
      Files.writeString(place.resolve(source.family() + ".cu"), source.text());
      for (Map.Entry<String, String> header : source.headers().entrySet()) {
        Files.writeString(place.resolve(header.getKey()), header.getValue());
      }
      Process compiler =
          new ProcessBuilder(
                  nvcc.get(),
                  "--ptx",
                  "-std=c++17",
                  "-arch=compute_90a",
                  "-o",
                  source.family() + ".ptx",
                  source.family() + ".cu")
              .directory(place.toFile())
              .redirectErrorStream(true)
              .redirectOutput(place.resolve("log").toFile())
              .start();
      compilers.add(compiler);
      if (compilers.size() % 2 == 0) {
        compiler.waitFor();
      }
    }
    for (int i = 0; i < compilers.size(); i++) {
      Path place = folder.resolve(sources.get(i).family());
      int code = compilers.get(i).waitFor();
      String log = Files.readString(place.resolve("log"), StandardCharsets.UTF_8);
      assertThat(code).as(log).isZero();
      assertThat(place.resolve(sources.get(i).family() + ".ptx")).isNotEmptyFile();
    }
  }

  private static Optional<String> nvcc() {
    List<String> folders = new ArrayList<>();
    folders.addAll(List.of(System.getenv("PATH").split(File.pathSeparator)));
    folders.add("/usr/local/cuda/bin");
    return folders.stream()
        .map(folder -> Path.of(folder, "nvcc"))
        .filter(Files::isExecutable)
        .map(Path::toString)
        .findFirst();
  }
}
