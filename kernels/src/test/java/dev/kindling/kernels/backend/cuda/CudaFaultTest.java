package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Numbers outside their tables end the run that met them. */
@Tag("gpu")
class CudaFaultTest {
  private static final int TOKENS = 70;
  private static final int ROWS = 40;
  private static final int WIDTH = 64;

  private static Graph graph() {
    GraphBuilder b = new GraphBuilder();
    Value table = b.variable(new Variable("table", ValueType.f32(ROWS, WIDTH), Role.PARAMETER));
    Value x = b.embedding(table, ints(b, "ids"));
    Value turned = b.rope(x, ints(b, "positions"), WIDTH, 10000);
    b.output("loss", b.crossEntropy(b.linear(turned, table), ints(b, "targets")).lossSum());
    return b.build();
  }

  private static Value ints(GraphBuilder b, String name) {
    return b.variable(new Variable(name, ValueType.i32(TOKENS), Role.INPUT));
  }

  private static void expectRefused(String variable, int place, int number, String message) {
    Graph graph = graph();
    try (CudaBackend backend =
            new CudaBackend(new CudaOptions(0, Precision.BF16, true, true), line -> {});
        Memory memory = backend.allocate(graph.variables());
        Program program = backend.compile(graph, memory, Map.of())) {
      program.submit(0);
      memory.await(0);
      memory.span(variable, 1).putInt(place, number);
      program.submit(1);
      // The run before it was in order and says so, however late it is asked.
      memory.await(0);
      assertThatThrownBy(() -> memory.await(1))
          .isInstanceOf(InputException.class)
          .hasMessage(message);
    }
  }

  @Test
  void aTokenIdPastTheVocabularyIsNamed() {
    expectRefused(
        "ids", 33, ROWS, "Embedding: token id at position 33: expected 0 to 39, found 40");
  }

  @Test
  void aNegativeTokenIdIsNamed() {
    expectRefused("ids", 0, -1, "Embedding: token id at position 0: expected 0 to 39, found -1");
  }

  @Test
  void aTargetPastTheVocabularyIsNamed() {
    expectRefused(
        "targets", 69, 5000, "CrossEntropy: target of row 69: expected 0 to 39, found 5000");
  }

  @Test
  void aPositionPastTheAnglesIsNamed() {
    expectRefused("positions", 5, TOKENS, "Rope: position of token 5: expected 0 to 69, found 70");
  }
}
