package dev.kindling.benchmarks;

import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.ProgramProfile;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * {@code bench gpu-attention [--passes N]}: our own causal attention, forward alone and with its
 * gradient, at the shapes that FlashAttention-2 and cuDNN were measured at.
 */
final class GpuAttentionBench implements Benchmark {
  private record Shape(String name, int sequences, AttentionShape attention) {}

  private static final List<Shape> SHAPES =
      List.of(
          new Shape("b32h12t1024c64", 32, new AttentionShape(12, 12, 64, 1024)),
          new Shape("b8h32k8t1024c64", 8, new AttentionShape(32, 8, 64, 1024)),
          new Shape("b8h16t2048c128", 8, new AttentionShape(16, 16, 128, 2048)));

  @Override
  public void run(Results results, List<String> arguments) {
    int passes = BenchOptions.of(arguments, Map.of("passes", "31")).count("passes");
    for (Shape shape : SHAPES) {
      CudaOptions options = new CudaOptions(0, Precision.BF16, true, false);
      Graph graph = graph(shape);
      try (CudaBackend backend = new CudaBackend(options, line -> {});
          Memory memory = backend.allocate(graph.variables());
          Program program = backend.compile(graph, memory, Map.of())) {
        fill(graph, memory);
        program.run();
        double forward = 0;
        double backward = 0;
        for (ProgramProfile.Line line : ProgramProfile.of(program, passes)) {
          forward += line.work().equals("Attention") ? line.micros() : 0;
          backward += line.work().equals("AttentionGradient") ? line.micros() : 0;
        }
        String name = "gpu-attention." + shape.name() + '.';
        results.add(name + "forward", forward, "us");
        results.add(name + "both", forward + backward, "us");
        AttentionShape of = shape.attention();
        double queries = (double) shape.sequences() * of.heads() * of.sequence();
        double flops = 2 * queries * of.headDim() * (of.sequence() + 1);
        results.add(name + "forward.rate", flops / forward / 1e6, "TFLOP/s");
        results.add(name + "both.rate", 3.5 * flops / (forward + backward) / 1e6, "TFLOP/s");
      }
    }
  }

  private static Graph graph(Shape shape) {
    AttentionShape of = shape.attention();
    int tokens = shape.sequences() * of.sequence();
    GraphBuilder b = new GraphBuilder();
    Value rows = b.variable(new Variable("rows", ValueType.i32(tokens), Role.INPUT));
    Value q = matrix(b, "q", tokens, of.heads() * of.headDim(), rows);
    Value k = matrix(b, "k", tokens, of.kvHeads() * of.headDim(), rows);
    Value v = matrix(b, "v", tokens, of.kvHeads() * of.headDim(), rows);
    Value dO = matrix(b, "dO", tokens, of.heads() * of.headDim(), rows);
    List<Value> forward = b.add(new Attention(of, false), q, k, v);
    b.add(new AttentionGradient(of, false), q, k, v, forward.get(0), forward.get(1), dO);
    return b.build();
  }

  private static Value matrix(GraphBuilder b, String name, int tokens, int columns, Value rows) {
    ValueType type = ValueType.f32(tokens, columns);
    return b.embedding(b.variable(new Variable(name, type, Role.PARAMETER)), rows);
  }

  private static void fill(Graph graph, Memory memory) {
    SplittableRandom random = new SplittableRandom(1);
    for (Variable variable : graph.variables()) {
      Span span = memory.span(variable.name());
      for (int i = 0; i < variable.type().shape().elements(); i++) {
        if (variable.role() == Role.INPUT) {
          span.putInt(i, i);
        } else {
          // A sum of three is near enough to a normal number, and fast.
          double sum = random.nextDouble() + random.nextDouble() + random.nextDouble();
          span.putFloat(i, (float) (2 * sum - 3));
        }
      }
      if (variable.role() != Role.INPUT) {
        memory.publish(variable.name());
      }
    }
  }
}
