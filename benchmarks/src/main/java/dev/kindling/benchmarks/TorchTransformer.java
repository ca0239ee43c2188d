package dev.kindling.benchmarks;

import static org.bytedeco.pytorch.global.torch.cat;
import static org.bytedeco.pytorch.global.torch.clip_grad_norm_;
import static org.bytedeco.pytorch.global.torch.cross_entropy;
import static org.bytedeco.pytorch.global.torch.embedding;
import static org.bytedeco.pytorch.global.torch.gelu;
import static org.bytedeco.pytorch.global.torch.layer_norm;
import static org.bytedeco.pytorch.global.torch.linear;
import static org.bytedeco.pytorch.global.torch.ones;
import static org.bytedeco.pytorch.global.torch.randint;
import static org.bytedeco.pytorch.global.torch.randn;
import static org.bytedeco.pytorch.global.torch.rms_norm;
import static org.bytedeco.pytorch.global.torch.scaled_dot_product_attention;
import static org.bytedeco.pytorch.global.torch.silu;
import static org.bytedeco.pytorch.global.torch.zeros;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.AdamW;
import org.bytedeco.pytorch.AdamWOptions;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The peer: the same transformer in PyTorch's C++ library on the CPU, written for speed: joint
 * query, key, value and gate, up products, the built-in norms and scaled_dot_product_attention, the
 * library's own in-place AdamW and gradient clipping.
 */
final class TorchTransformer implements TimedTraining {
  private static final double NORM_EPS = 1e-5;

  private final TrainShape shape;
  private final List<Tensor> parameters = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private final Tensor table;
  private final Tensor positions;
  private final Norm last;
  private final TensorVector vector;
  private final AdamW optimizer;
  private final Tensor cos;
  private final Tensor sin;
  private final Tensor ids;
  private final Tensor targets;
  private final Tensor places;

  private record Norm(Tensor gain, Tensor bias) {}

  private record Block(Norm first, Map map, Map out, Norm second, Map up, Map down) {}

  /** A linear map; the bias is an empty tensor for Llama. */
  private record Map(Tensor weight, Tensor bias) {}

  TorchTransformer(TrainShape shape, int threads) {
    this.shape = shape;
    torch.set_num_threads(threads);
    torch.manual_seed(1);
    long width = shape.width();
    table = parameter(randn(new long[] {shape.vocabulary(), width}));
    positions =
        shape.gpt2() ? parameter(randn(new long[] {shape.sequence(), width})) : new Tensor();
    for (int layer = 0; layer < shape.layers(); layer++) {
      long up = shape.gpt2() ? shape.mlpWidth() : 2L * shape.mlpWidth();
      blocks.add(
          new Block(
              norm(),
              map(width, 3 * width),
              map(width, width),
              norm(),
              map(width, up),
              map(shape.mlpWidth(), width)));
    }
    last = norm();
    vector = new TensorVector(parameters.toArray(Tensor[]::new));
    optimizer = new AdamW(vector, new AdamWOptions(1e-4));
    long half = shape.width() / shape.heads() / 2;
    Tensor angles = randn(1, 1, shape.sequence(), half);
    cos = angles.cos();
    sin = angles.sin();
    long rows = shape.microTokens() / shape.sequence();
    ids =
        randint(shape.vocabulary(), new long[] {rows, shape.sequence()}).to(torch.ScalarType.Long);
    targets =
        randint(shape.vocabulary(), new long[] {shape.microTokens()}).to(torch.ScalarType.Long);
    places = torch.arange(new Scalar(shape.sequence())).to(torch.ScalarType.Long);
  }

  private Tensor parameter(Tensor start) {
    Tensor scaled = start.mul(new Scalar(0.02));
    scaled.set_requires_grad(true);
    parameters.add(scaled);
    return scaled;
  }

  private Norm norm() {
    Tensor gain = ones(shape.width());
    gain.set_requires_grad(true);
    parameters.add(gain);
    return new Norm(gain, shape.gpt2() ? bias(shape.width()) : new Tensor());
  }

  private Map map(long in, long out) {
    return new Map(parameter(randn(out, in)), shape.gpt2() ? bias(out) : new Tensor());
  }

  private Tensor bias(long width) {
    Tensor zero = zeros(width);
    zero.set_requires_grad(true);
    parameters.add(zero);
    return zero;
  }

  @Override
  @SuppressWarnings("try") // the scope frees the step's tensors, nobody names it
  public float step() {
    try (PointerScope scope = new PointerScope()) {
      optimizer.zero_grad(true);
      Tensor loss = cross_entropy(logits(), targets);
      loss.backward();
      clip_grad_norm_(vector, 1.0);
      optimizer.step();
      return loss.item_float();
    }
  }

  private Tensor logits() {
    Tensor x = embedding(table, ids);
    if (shape.gpt2()) {
      x = x.add(embedding(positions, places));
    }
    for (Block block : blocks) {
      x = x.add(apply(block.out(), attend(apply(block.map(), norm(block.first(), x)))));
      Tensor h = apply(block.up(), norm(block.second(), x));
      if (shape.gpt2()) {
        h = gelu(h, "tanh");
      } else {
        TensorVector halves = h.chunk(2, -1);
        h = silu(halves.get(0)).mul(halves.get(1));
      }
      x = x.add(apply(block.down(), h));
    }
    return linear(norm(last, x), table).view(shape.microTokens(), shape.vocabulary());
  }

  private Tensor attend(Tensor qkv) {
    long rows = shape.microTokens() / shape.sequence();
    long headDim = shape.width() / shape.heads();
    Tensor parts = qkv.view(rows, shape.sequence(), 3, shape.heads(), headDim);
    Tensor q = parts.select(2, 0).transpose(1, 2);
    Tensor k = parts.select(2, 1).transpose(1, 2);
    Tensor v = parts.select(2, 2).transpose(1, 2);
    if (!shape.gpt2()) {
      q = rotate(q);
      k = rotate(k);
    }
    Tensor y =
        scaled_dot_product_attention(
            q, k, v, new TensorOptional(), 0.0, true, new DoubleOptional(), false);
    return y.transpose(1, 2).reshape(rows, shape.sequence(), shape.width());
  }

  private Tensor rotate(Tensor x) {
    TensorVector halves = x.chunk(2, -1);
    Tensor a = halves.get(0);
    Tensor b = halves.get(1);
    Tensor left = a.mul(cos).sub(b.mul(sin));
    Tensor right = b.mul(cos).add(a.mul(sin));
    return cat(new TensorVector(left, right), -1);
  }

  private Tensor norm(Norm norm, Tensor x) {
    long[] over = {shape.width()};
    if (shape.gpt2()) {
      return layer_norm(
          x,
          over,
          new TensorOptional(norm.gain()),
          new TensorOptional(norm.bias()),
          NORM_EPS,
          true);
    }
    return rms_norm(x, over, new TensorOptional(norm.gain()), new DoubleOptional(NORM_EPS));
  }

  private static Tensor apply(Map map, Tensor x) {
    return map.bias().defined()
        ? linear(x, map.weight(), new TensorOptional(map.bias()))
        : linear(x, map.weight());
  }

  @Override
  public void close() {
    optimizer.close();
    vector.close();
  }
}
