package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.ModelInputs;
import java.util.List;
import java.util.function.Function;

/**
 * One sequence at both points of a direction, for objectives that the host finds. What the host
 * reads is the loss of a continuation at each point, or the token that each finds likeliest next;
 * behind the tokens it gives stands token 0, which nobody sees: attention is causal.
 *
 * @param programs by direction
 * @param memory that they were compiled over
 */
public record PointPass(List<Program> programs, Memory memory) {
  /** No token: of logits that are not finite none is the likeliest. */
  public static final int NONE = -1;

  private static final String TOKENS = "points/tokens";
  private static final String POSITIONS = "points/positions";
  private static final String TARGETS = "points/targets";
  private static final String ROWS = "points/rows";
  private static final String LOSSES = "points/losses";
  private static final String COUNT = "points/count";
  private static final String OUT = "out/points/";

  public PointPass {
    programs = List.copyOf(programs);
  }

  static Graph sentence(MezoStep step, int direction) {
    boolean writes = step.rule().objective().tokens() > 0;
    Shape length = Shape.of(step.shape().sequence());
    GraphBuilder once = new GraphBuilder();
    step.projection().declare(once, step.model());
    Value ids = once.input(TOKENS, length, DType.I32);
    Value positions = once.input(POSITIONS, length, DType.I32);
    Value rows = writes ? once.input(ROWS, Shape.of(1), DType.I32) : null;
    ModelInputs in = new ModelInputs(ids, positions, null, step.shape().sequence(), null, rows);
    Value logits = step.model().logits(once, in, step.projection());
    if (!writes) {
      once.crossEntropy(logits, once.input(TARGETS, length, DType.I32));
    }
    once.fuse();
    step.shape().saving().apply(once);
    GraphBuilder b = new GraphBuilder();
    once.params().forEach(b::master);
    TwoPoints points = new TwoPoints(once, b, step.rule(), step.seed(), direction);
    Function<GraphBuilder, Value> count = builder -> variable(builder, COUNT, 1);
    Function<GraphBuilder, Value> losses =
        builder -> variable(builder, LOSSES, 4 * step.rule().directions());
    points.write(count, losses);
    if (writes) {
      b.output(OUT + "plus", points.at(logits).get(0));
      b.output(OUT + "minus", points.at(logits).get(1));
    } else {
      b.output(OUT + "losses", losses.apply(b));
      b.output(OUT + "count", count.apply(b));
      b.add(new Fill(0f), losses.apply(b), count.apply(b));
    }
    step.host(b);
    return b.build();
  }

  private static Value variable(GraphBuilder b, String name, int count) {
    return b.variable(new Variable(name, ValueType.f32(count), Role.GRADIENT));
  }

  /**
   * Sums of the losses at plus and at minus, nats; exact, NaN where one is not finite.
   *
   * @param stream at most the sequence and one more
   * @param from place of the first token that counts, at least 1
   */
  public double[] losses(int direction, int[] stream, int from) {
    write(stream, stream.length - 1);
    for (int i = 0; i < length(); i++) {
      boolean counts = i < stream.length - 1 && i + 1 >= from;
      ints(TARGETS).putInt(i, counts ? stream[i + 1] : CrossEntropy.IGNORED);
    }
    run(direction);
    Span sums = memory.span(OUT + "losses", 0);
    // Of a loss that is not finite the count tells: NaN. Direction 0 alone counts tokens.
    double finite = Float.isFinite(memory.span(OUT + "count", 0).getFloat(0)) ? 0 : Double.NaN;
    int plus = 4 * direction;
    int minus = plus + 2;
    return new double[] {
      finite + sums.getFloat(plus) + sums.getFloat(plus + 1),
      finite + sums.getFloat(minus) + sums.getFloat(minus + 1)
    };
  }

  /**
   * The tokens that plus and minus find likeliest behind these; of equal ones the first. {@link
   * #NONE} at a point where a logit is NaN or the largest is infinite, so that the loss of any
   * token would not be finite.
   *
   * @param count of the tokens of the array that count, 1 to the sequence
   */
  public int[] next(int direction, int[] tokens, int count) {
    write(tokens, count);
    ints(ROWS).putInt(0, count - 1);
    run(direction);
    return new int[] {likeliest(OUT + "plus"), likeliest(OUT + "minus")};
  }

  private int likeliest(String logits) {
    Span row = memory.span(logits, 0);
    int best = 0;
    for (int i = 0; i < row.bytes() / Float.BYTES; i++) {
      if (Float.isNaN(row.getFloat(i))) {
        return NONE;
      }
      best = row.getFloat(i) > row.getFloat(best) ? i : best;
    }
    return Float.isInfinite(row.getFloat(best)) ? NONE : best;
  }

  private void write(int[] tokens, int count) {
    memory.await(0);
    Span ids = ints(TOKENS);
    Span positions = ints(POSITIONS);
    for (int i = 0; i < length(); i++) {
      ids.putInt(i, i < count ? tokens[i] : 0);
      positions.putInt(i, i);
    }
  }

  private int length() {
    return (int) (ints(TOKENS).bytes() / Integer.BYTES);
  }

  private Span ints(String name) {
    return memory.span(name, 0);
  }

  private void run(int direction) {
    programs.get(direction).submit(0);
    memory.await(0);
  }
}
