package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.op.FactoredMoments;
import dev.kindling.kernels.graph.op.FactoredRms;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Adafactor: second moments as one number per row and one per column, no momentum.
 *
 * <pre>
 * g = scale * gradient;  w = update^-beta2_decay
 * R += w (row means of g^2 + eps1 - R);  C += w (column means - C)
 * U = g / sqrt(R C / mean(R));  U = U / max(1, rms(U) / clip_threshold)
 * p = p - rho (s U + decay p),  rho = lr, or min(lr, 1 / sqrt(update)) with relative_step
 * s = 1, or max(eps2, rms(p)) with scale_parameter
 * </pre>
 *
 * <p>State: {@code rows} and {@code columns} in fp32, 4 (R + C) bytes for a matrix [R, C], 4 (R +
 * 1) for a vector, whose only column changes nothing. After Shazeer and Stern 2018 (1804.04235),
 * algorithms 4 to 6, with decoupled decay.
 */
public record Adafactor(
    double lr,
    double beta2Decay,
    double eps1,
    double eps2,
    double clipThreshold,
    boolean relativeStep,
    boolean scaleParameter,
    double weightDecay,
    double clipNorm)
    implements UpdateRule {

  public Adafactor {
    new Expectation()
        .positive("lr", lr)
        .positive("beta2_decay", beta2Decay)
        .positive("eps1", eps1)
        .notNegative("eps2", eps2)
        .positive("clip_threshold", clipThreshold)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "beta2Decay", 0.8,
        "eps1", 1e-30,
        "eps2", 1e-3,
        "clipThreshold", 1.0,
        "relativeStep", false,
        "scaleParameter", false,
        "weightDecay", 0.0,
        "clipNorm", 1.0);
  }

  @Override
  public Optional<String> obstacleToPieces() {
    return Optional.of("adafactor (its moments are those of whole rows and columns)");
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    ValueType type = ValueType.f32(gradient.dims().stream().mapToInt(d -> d).toArray());
    return List.of(
        new StateVariable("rows", p, FactoredMoments.rows(type).shape()),
        new StateVariable("columns", p, FactoredMoments.columns(type).shape()));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    Value rows = StateVariable.of(state, "rows");
    Value columns = StateVariable.of(state, "columns");
    List<Value> moments =
        b.add(new FactoredMoments((float) eps1), gradient, rows, columns, scale, step);
    List<Value> inputs = new ArrayList<>(List.of(b.master(p), gradient));
    inputs.addAll(moments);
    Value[] measured = {gradient, moments.get(0), moments.get(1), moments.get(2), scale};
    inputs.add(b.add(new FactoredRms(), measured).get(0));
    if (scaleParameter) {
      inputs.add(b.add(new GlobalNorm(false), b.master(p)).get(0));
    }
    inputs.addAll(List.of(scale, step));
    float decay = p.decay() ? (float) weightDecay : 0f;
    Op op =
        new dev.kindling.kernels.graph.op.Adafactor(
            (float) clipThreshold, decay, scaleParameter, (float) eps2);
    b.add(op, inputs.toArray(Value[]::new));
  }

  /** The weight of the newest squares stands where others have their second correction. */
  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    double weight = StrictMath.exp(-beta2Decay * StrictMath.log(update));
    double rate = lr * lrFactor;
    double rho = relativeStep ? Math.min(rate, 1 / Math.sqrt(update)) : rate;
    StepScalars.write(stepBlock, rho, 1.0, weight, clipNorm, update);
  }
}
