package dev.kindling.house;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/**
 * Methods of at most 60 lines, files of at most 400, methods of at most 6 parameters. The map of
 * exceptions may shrink, never grow: an entry that is no longer needed fails the test too.
 */
class SizeRatchetTest {
  private static final int METHOD_LINES_MAX = 60;
  private static final int FILE_LINES_MAX = 400;
  private static final int PARAMETERS_MAX = 6;

  /**
   * Low-level kernels take buffers, offsets and sizes one by one: a record per call would allocate.
   */
  private static final int KERNEL_PARAMETERS_MAX = 14;

  private static final List<String> KERNEL_ROOMS = List.of("/backend/cpu/");

  /** Size in lines that each exception has today: lists of test data, one item a line. */
  private static final Map<String, Integer> EXCEPTIONS =
      Map.of(
          "worker/src/test/java/dev/kindling/worker/store/JsonReaderTest.java"
              + "#whatIsNotJsonIsRefusedWithFileAndByte",
          61,
          "worker/src/test/java/dev/kindling/worker/store/LocalStorageTest.java#hostileNames",
          65);

  @Test
  void methodsFilesAndParameterListsStaySmall() throws IOException {
    Map<String, Integer> found = new TreeMap<>();
    List<Path> files = new ArrayList<>(SourceTree.javaFiles(""));
    for (Path file : files) {
      int lines = Files.readAllLines(file, StandardCharsets.UTF_8).size();
      if (lines > FILE_LINES_MAX) {
        found.put(SourceTree.root().relativize(file).toString(), lines);
      }
    }
    scanMethods(files, found);
    assertThat(found).as("longer than the house allows").isEqualTo(new TreeMap<>(EXCEPTIONS));
  }

  private static void scanMethods(List<Path> files, Map<String, Integer> found) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager manager =
        compiler.getStandardFileManager(null, Locale.ROOT, StandardCharsets.UTF_8)) {
      JavacTask task =
          (JavacTask)
              compiler.getTask(
                  null, manager, null, null, null, manager.getJavaFileObjectsFromPaths(files));
      SourcePositions positions = Trees.instance(task).getSourcePositions();
      for (CompilationUnitTree unit : task.parse()) {
        unit.accept(new MethodSizes(unit, positions, found), null);
      }
    }
  }

  private static final class MethodSizes extends TreeScanner<Void, Void> {
    private final CompilationUnitTree unit;
    private final SourcePositions positions;
    private final Map<String, Integer> found;
    private final String path;

    MethodSizes(CompilationUnitTree unit, SourcePositions positions, Map<String, Integer> found) {
      this.unit = unit;
      this.positions = positions;
      this.found = found;
      this.path = SourceTree.root().relativize(Path.of(unit.getSourceFile().toUri())).toString();
    }

    /** Its parameters are those of the type above it: counted there if that is ours. */
    private static boolean overrides(MethodTree method) {
      return method.getModifiers().getAnnotations().stream()
          .anyMatch(annotation -> annotation.getAnnotationType().toString().equals("Override"));
    }

    @Override
    public Void visitMethod(MethodTree method, Void unused) {
      LineMap map = unit.getLineMap();
      long start = positions.getStartPosition(unit, method);
      long end = positions.getEndPosition(unit, method);
      if (start >= 0 && end >= 0) {
        int lines = (int) (map.getLineNumber(end) - map.getLineNumber(start)) + 1;
        if (lines > METHOD_LINES_MAX) {
          found.put(path + "#" + method.getName(), lines);
        }
        boolean kernel = KERNEL_ROOMS.stream().anyMatch(path::contains);
        int limit = kernel ? KERNEL_PARAMETERS_MAX : PARAMETERS_MAX;
        boolean constructor = method.getReturnType() == null;
        if (!constructor && !overrides(method) && method.getParameters().size() > limit) {
          found.put(path + "#" + method.getName() + "()", method.getParameters().size());
        }
      }
      return super.visitMethod(method, unused);
    }
  }
}
