package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Init;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.StepScalar;
import dev.kindling.kernels.graph.op.Perturb;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.objective.Loss;
import org.junit.jupiter.api.Test;

class MezoTest {
  private static final Mezo PLAIN = new Mezo(1e-6, 1e-3, 2, 0.1, 0, false);
  private static final Mezo SPARSE = new Mezo(1e-6, 1e-3, 1, 0, 0.8, true);
  private static final Param MATRIX = param(Demand.whole(), 7, 3);
  private static final Param VECTOR = param(Demand.whole(), 7);
  private static final Param FROZEN = param(Demand.none(), 7, 3);

  private static Param param(Demand demand, int... dims) {
    return new Param("p" + dims.length, Shape.of(dims), demand, Init.zeros(), dims.length > 1);
  }

  @Test
  void defaultsArePinned() {
    assertThat(Mezo.defaults())
        .containsEntry("eps", 1e-3)
        .containsEntry("directions", 1)
        .containsEntry("weightDecay", 0.0)
        .containsEntry("sparsity", 0.0)
        .containsEntry("master", false)
        .containsEntry("objective", new Loss())
        .hasSize(6);
  }

  @Test
  void whatCannotBeIsRefusedByName() {
    assertThatThrownBy(() -> new Mezo(0, -1, 0, -1, 1, true))
        .hasMessageContaining("lr")
        .hasMessageContaining("eps")
        .hasMessageContaining("directions: expected 1 to 1024, found 0")
        .hasMessageContaining("weight_decay")
        .hasMessageContaining("sparsity");
  }

  @Test
  void onlyMasksKeepState() {
    assertThat(PLAIN.state(MATRIX)).isEmpty();
    assertThat(SPARSE.state(VECTOR)).isEmpty();
    assertThat(SPARSE.state(FROZEN)).isEmpty();
    assertThat(SPARSE.state(MATRIX)).hasSize(1);
    assertThat(SPARSE.state(MATRIX).get(0).name()).isEqualTo("state/threshold/p2");
    assertThat(SPARSE.state(MATRIX).get(0).bytes()).isEqualTo(4);
    assertThat(PLAIN.rounds(MATRIX)).isTrue();
    assertThat(PLAIN.rounds(VECTOR)).isFalse();
    assertThat(PLAIN.rounds(FROZEN)).isFalse();
    assertThat(SPARSE.rounds(MATRIX)).isFalse();
  }

  @Test
  void theDirectionOfAParameterIsThatOfItsUpdate() {
    GraphBuilder b = new GraphBuilder();
    PLAIN.perturb(b, MATRIX, 5, 1);
    Perturb perturb = (Perturb) b.nodes().get(0).op();
    assertThat(perturb.direction()).isEqualTo(1);
    PLAIN.update(b, MATRIX, 5, b.input("g", Shape.of(2), MATRIX.type().dtype()), one(b));
    var update = (dev.kindling.kernels.graph.op.Mezo) b.nodes().get(1).op();
    assertThat(update.key()).isEqualTo(perturb.key());
    assertThat(update.weightDecay()).isEqualTo(0.1f);
    assertThat(update.roundingKey()).isPresent();
    assertThatThrownBy(() -> PLAIN.perturb(b, FROZEN, 5, 0)).isInstanceOf(PlanException.class);
  }

  private static dev.kindling.kernels.graph.Value one(GraphBuilder b) {
    return b.input("scale", Shape.of(1), MATRIX.type().dtype());
  }

  @Test
  void theStepBlockHoldsRateAndStepNumber() {
    try (Span block = Span.allocate(4L * StepScalar.values().length)) {
      PLAIN.stepFills().get(0).fillStep(block, 17, 0.5);
      assertThat(block.getFloat(StepScalar.LEARNING_RATE.ordinal())).isEqualTo(5e-7f);
      assertThat(block.getFloat(StepScalar.STEP.ordinal())).isEqualTo(17f);
    }
  }
}
