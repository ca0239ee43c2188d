package dev.kindling.kernels.backend.cpu.vector;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The build cannot use -Werror on the vector source set, so this test does. */
class VectorSourceSetTest {
  private static final Path SOURCES = Path.of("src/vector/java");

  @TempDir Path folder;

  private List<Diagnostic<? extends JavaFileObject>> compile(List<Path> sources)
      throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
    try (StandardJavaFileManager files =
        compiler.getStandardFileManager(diagnostics, Locale.ROOT, StandardCharsets.UTF_8)) {
      List<String> options =
          List.of(
              "-Xlint:all,-processing",
              "--add-modules=jdk.incubator.vector",
              "-proc:none",
              "-classpath",
              folder.toString(),
              "-d",
              folder.toString());
      compiler
          .getTask(
              null, files, diagnostics, options, null, files.getJavaFileObjectsFromPaths(sources))
          .call();
    }
    return diagnostics.getDiagnostics();
  }

  @Test
  void compilesAloneAndWarnsOnlyOfTheIncubatingModule() throws IOException {
    List<Path> sources;
    try (Stream<Path> walk = Files.walk(SOURCES)) {
      sources = walk.filter(path -> path.toString().endsWith(".java")).toList();
    }
    assertThat(sources).hasSizeGreaterThan(10);
    assertThat(compile(sources))
        .extracting(Diagnostic::getCode)
        .containsExactly("compiler.warn.incubating.modules");
  }

  @Test
  void anotherWarningIsSeen() throws IOException {
    Path source = folder.resolve("Raw.java");
    Files.writeString(source, "class Raw { java.util.List list; }", StandardCharsets.UTF_8);
    assertThat(compile(List.of(source)))
        .extracting(Diagnostic::getCode)
        .contains("compiler.warn.raw.class.use");
  }

  @Test
  void onlyClassesNamedVectorMentionTheModule() throws IOException {
    try (Stream<Path> walk = Files.walk(SOURCES)) {
      for (Path path : walk.filter(p -> p.toString().endsWith(".java")).toList()) {
        String name = path.getFileName().toString();
        if (!name.startsWith("Vector") && !name.equals("Lanes.java")) {
          assertThat(Files.readString(path, StandardCharsets.UTF_8))
              .as(name)
              .doesNotContain("import jdk.incubator");
        }
      }
    }
  }
}
