package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.ValueType;
import java.util.List;

/**
 * Adds the sum over tokens of lse(z) - z[target] to one of several sums, exactly. Inputs logits z
 * [T, V], targets I32 [T] (-100 = ignored), sums [2 S], tokenCount [1] -> sums, tokenCount over
 * theirs. Sum s lies in sums[2 s] + sums[2 s + 1].
 *
 * <p>Row loss in fp32 as in {@link CrossEntropy}, rounded to a multiple of 2^-24 nats; added in
 * fp64. All partial sums are then exact as long as a sum stays below 2^24 nats, and so is the pair
 * of fp32 numbers that holds it: any order, cut into chunks, micro-batches or ranks gives the same
 * bits. What is lost, 2^-25 nats a token, is a quarter of the fp32 rounding of a loss of 2. A loss
 * that is not finite makes the token count NaN.
 *
 * @param place s; sum 0 alone counts the tokens
 */
public record AddLoss(int place) implements Op {
  /** What row losses are multiples of. */
  public static final double QUANTUM = 0x1.0p-24;

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 4);
    Shape logits = Expect.matrix(this, inputs, 0);
    Expect.i32(this, inputs, 1, logits.dim(0));
    int sums = Expect.vector(this, inputs, 2);
    Expect.that(
        sums % 2 == 0 && place >= 0 && 2 * place < sums,
        this,
        "expected pairs of fp32 with place " + place + " among them, found " + inputs.get(2));
    Expect.f32(this, inputs, 3, 1);
    return List.of(inputs.get(2), inputs.get(3));
  }

  @Override
  public int alias(int output) {
    return output + 2;
  }
}
