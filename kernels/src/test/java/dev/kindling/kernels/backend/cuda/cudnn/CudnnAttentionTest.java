package dev.kindling.kernels.backend.cuda.cudnn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.AttentionRun;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.testing.PlainAttention;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** cuDNN's attention against fp64 and, as a second opinion, against our own kernels. */
@Tag("gpu")
class CudnnAttentionTest {
  /** Each is right to half of it; wrong masks or scales differ by far more. */
  private static final double APART = 1e-2;

  private static final int POISON = 0xFF;

  static List<CheckCase.Shape> shapes() {
    return List.of(
        new CheckCase.Shape(2, 64, 4, 4, 64, true, 0),
        new CheckCase.Shape(2, 257, 4, 1, 64, false, 0),
        new CheckCase.Shape(2, 128, 4, 4, 128, true, 0),
        new CheckCase.Shape(2, 257, 8, 2, 128, false, 0),
        new CheckCase.Shape(2, 257, 4, 4, 64, true, 0.001),
        new CheckCase.Shape(1, 1024, 12, 12, 64, true, 0));
  }

  private record Found(
      List<double[]> inputs, double[] o, List<double[]> gradients, List<short[]> bits) {}

  @ParameterizedTest
  @MethodSource("shapes")
  void agreesWithFp64AndWithOurKernels(CheckCase.Shape shape) {
    Found cudnn = cudnn(shape);
    PlainAttention.Result own = own(shape, cudnn.inputs());
    assertThat(apart(cudnn.o(), own.o())).as("o").isLessThan(APART);
    List<double[]> ours = List.of(own.dq(), own.dk(), own.dv());
    for (int piece = 0; piece < 3; piece++) {
      assertThat(apart(cudnn.gradients().get(piece), ours.get(piece)))
          .as("gradient " + piece)
          .isLessThan(APART);
    }
    assertThat(cudnn.bits().get(1)).as("o and lse again").isEqualTo(cudnn.bits().get(0));
    assertThat(cudnn.bits().get(3)).as("gradients again").isEqualTo(cudnn.bits().get(2));
  }

  private static Found cudnn(CheckCase.Shape shape) {
    try (CheckDevice device = new CheckDevice();
        CudnnHandle handle = CudnnHandle.open()) {
      handle.setStream(device.stream());
      CheckCase test = new CheckCase(device, shape);
      AttentionReference expected = test.reference();
      List<short[]> bits = new ArrayList<>();
      try (CudnnAttention forward = CudnnAttention.forward(handle, test.layout);
          CudnnAttention backward = CudnnAttention.backward(handle, test.layout, Long.MAX_VALUE)) {
        for (int time = 0; time < 2; time++) {
          test.poisonForward();
          run(device, forward, forward.bind(test.forward(), workspace(device, forward)));
          bits.add(test.outputBits());
        }
        for (int time = 0; time < 2; time++) {
          test.poisonBackward();
          run(device, backward, backward.bind(test.backward(), workspace(device, backward)));
          bits.add(test.gradientBits());
        }
      }
      CheckCase.Verdict first = test.forwardVerdict(expected);
      assertThat(first.good()).as("forward: " + first.text()).isTrue();
      CheckCase.Verdict second = test.backwardVerdict(expected);
      assertThat(second.good()).as("backward: " + second.text()).isTrue();
      return new Found(
          List.of(test.input(0), test.input(1), test.input(2), test.input(3)),
          test.output(),
          List.of(test.gradient(0), test.gradient(1), test.gradient(2)),
          bits);
    }
  }

  private static long workspace(CheckDevice device, CudnnAttention attention) {
    long workspace = device.allocate(attention.workspaceBytes());
    device.fill(workspace, POISON, attention.workspaceBytes());
    return workspace;
  }

  private static void run(
      CheckDevice device, CudnnAttention attention, CudnnAttention.Binding binding) {
    try (binding) {
      assertThat(attention.launches()).isEqualTo(1);
      binding.run();
      device.synchronize();
    }
  }

  private static PlainAttention.Result own(CheckCase.Shape shape, List<double[]> inputs) {
    AttentionShape sizes =
        new AttentionShape(shape.heads(), shape.kvHeads(), shape.headDim(), shape.tokens());
    CudaOptions options = new CudaOptions(0, Precision.BF16, true, false);
    try (Backend backend = Backend.cuda(options);
        AttentionRun run = new AttentionRun(backend, sizes, shape.batch(), false)) {
      return run.evaluate(inputs.get(0), inputs.get(1), inputs.get(2), inputs.get(3), null);
    }
  }

  private static double apart(double[] a, double[] b) {
    double difference = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      size += b[i] * b[i];
    }
    return Math.sqrt(difference / size);
  }
}
