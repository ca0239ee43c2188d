package dev.kindling.benchmarks;

import static org.bytedeco.pytorch.global.torch.cat;
import static org.bytedeco.pytorch.global.torch.clip_grad_norm_;
import static org.bytedeco.pytorch.global.torch.cross_entropy;
import static org.bytedeco.pytorch.global.torch.embedding;
import static org.bytedeco.pytorch.global.torch.gelu;
import static org.bytedeco.pytorch.global.torch.layer_norm;
import static org.bytedeco.pytorch.global.torch.linear;
import static org.bytedeco.pytorch.global.torch.rms_norm;
import static org.bytedeco.pytorch.global.torch.scaled_dot_product_attention;
import static org.bytedeco.pytorch.global.torch.silu;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;
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
  private static final double ROPE_THETA = 10_000;

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
    StartWeights start = new StartWeights(shape);
    boolean gpt2 = shape.gpt2();
    table = parameter(start, gpt2 ? "transformer.wte" : "model.embed_tokens", shape.vocabulary());
    positions = gpt2 ? parameter(start, "transformer.wpe", shape.sequence()) : new Tensor();
    for (int layer = 0; layer < shape.layers(); layer++) {
      blocks.add(gpt2 ? gpt2(start, "transformer.h." + layer) : llama(start, layer));
    }
    last = norm(start, gpt2 ? "transformer.ln_f" : "model.norm");
    vector = new TensorVector(parameters.toArray(Tensor[]::new));
    // It decays biases and gains too, which costs it nothing and moves no loss within the steps of
    // a run.
    optimizer = new AdamW(vector, new AdamWOptions(StartWeights.LEARNING_RATE));
    float[] angles = angles(shape);
    cos = rotation(angles, Math::cos);
    sin = rotation(angles, Math::sin);
    int[][] batch = StartWeights.batch(shape);
    long rows = shape.microTokens() / shape.sequence();
    ids = ids(batch, 0).view(rows, shape.sequence());
    targets = ids(batch, 1);
    places = torch.arange(new Scalar(shape.sequence())).to(torch.ScalarType.Long);
  }

  private Block gpt2(StartWeights start, String name) {
    int width = shape.width();
    return new Block(
        norm(start, name + ".ln_1"),
        transposed(start, name + ".attn.c_attn", width, 3 * width),
        transposed(start, name + ".attn.c_proj", width, width),
        norm(start, name + ".ln_2"),
        transposed(start, name + ".mlp.c_fc", width, shape.mlpWidth()),
        transposed(start, name + ".mlp.c_proj", shape.mlpWidth(), width));
  }

  private Block llama(StartWeights start, int layer) {
    String name = "model.layers." + layer;
    String self = name + ".self_attn.";
    String mlp = name + ".mlp.";
    return new Block(
        norm(start, name + ".input_layernorm"),
        stacked(start, shape.width(), self + "q_proj", self + "k_proj", self + "v_proj"),
        stacked(start, shape.width(), self + "o_proj"),
        norm(start, name + ".post_attention_layernorm"),
        stacked(start, shape.width(), mlp + "gate_proj", mlp + "up_proj"),
        stacked(start, shape.mlpWidth(), mlp + "down_proj"));
  }

  private Tensor parameter(Tensor value) {
    value.set_requires_grad(true);
    parameters.add(value);
    return value;
  }

  private Tensor parameter(StartWeights start, String name, int rows) {
    return parameter(Tensor.create(start.values(name + ".weight"), rows, shape.width()));
  }

  private Norm norm(StartWeights start, String name) {
    Tensor gain = parameter(Tensor.create(start.values(name + ".weight"), shape.width()));
    return new Norm(gain, shape.gpt2() ? bias(start, name, shape.width()) : new Tensor());
  }

  private Tensor bias(StartWeights start, String name, int width) {
    return parameter(Tensor.create(start.values(name + ".bias"), width));
  }

  /** From [in, out] to the layout [out, in] that {@code linear} wants. */
  private Map transposed(StartWeights start, String name, int in, int out) {
    Tensor weight = Tensor.create(start.values(name + ".weight"), in, out).t().contiguous();
    return new Map(parameter(weight), bias(start, name, out));
  }

  private Map stacked(StartWeights start, int in, String... names) {
    float[] values = start.stacked(Stream.of(names).map(name -> name + ".weight").toList());
    return new Map(parameter(Tensor.create(values, values.length / in, in)), new Tensor());
  }

  /** Angle of position t and frequency i, [sequence, headDim / 2]. */
  private static float[] angles(TrainShape shape) {
    int half = shape.width() / shape.heads() / 2;
    float[] angles = new float[shape.sequence() * half];
    for (int i = 0; i < angles.length; i++) {
      int position = i / half;
      angles[i] = (float) (position * Math.pow(ROPE_THETA, -(double) (i % half) / half));
    }
    return angles;
  }

  private Tensor rotation(float[] angles, DoubleUnaryOperator function) {
    float[] values = new float[angles.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) function.applyAsDouble(angles[i]);
    }
    int half = angles.length / shape.sequence();
    return Tensor.create(values, 1, 1, shape.sequence(), half);
  }

  private static Tensor ids(int[][] batch, int column) {
    return Tensor.create(Stream.of(batch).mapToLong(pair -> pair[column]).toArray());
  }

  @Override
  public long parameters() {
    return parameters.stream().mapToLong(Tensor::numel).sum();
  }

  @Override
  @SuppressWarnings("try") // the scope frees the step's tensors, nobody names it
  public float step() {
    try (PointerScope scope = new PointerScope()) {
      optimizer.zero_grad(true);
      Tensor loss = cross_entropy(logits(), targets);
      loss.backward();
      clip_grad_norm_(vector, StartWeights.CLIP_NORM);
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
