package dev.kindling.worker.adapt;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.kernels.random.Philox;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Gpt2;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.model.Mistral;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.Qwen2;
import dev.kindling.worker.model.Qwen3;
import dev.kindling.worker.model.Weight;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** One CPU rank with a tiny model, whose batch number n always holds the same tokens. */
public final class AdaptedRank implements AutoCloseable {
  public static final long SEED = Long.getLong("seed", 29L);
  public static final int TOKENS = 12;
  public static final int SEQUENCE = 6;
  public static final int VOCABULARY = 11;
  static final StepShape SHAPE = new StepShape(TOKENS, SEQUENCE, false, 1);
  static final AdamW RULE = new AdamW(3e-3, 0.9, 0.95, 1e-8, 0.1, 0);

  private final Backend backend = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  private final Communicator data;
  private final StepProgram program;
  private long updates;

  AdaptedRank(TrainStep step) {
    this(step, LoopbackCommunicator.create(1).get(0));
    program.fill(SEED);
  }

  /** One of several ranks, whose weights the caller fills on all of them together. */
  AdaptedRank(TrainStep step, Communicator data) {
    this.data = data;
    program = StepProgram.compile(step, backend, data);
  }

  AdaptedRank(ModelFamily model, Projection projection, Optimizer rule) {
    this(new StepGraphs(model, projection, rule, SHAPE));
  }

  /** With a model and an adapter at random values. */
  public AdaptedRank(ModelFamily model, Adapter adapter) {
    this(model, adapter.projection(model, SEED), RULE);
    if (prunes(adapter)) {
      prune(model);
    }
  }

  /** Whether the adapter wants weights with zeros. */
  static boolean prunes(Adapter adapter) {
    return adapter instanceof MaskLora || adapter instanceof Perp;
  }

  /** Whether element i of every linear map but the head is pruned. */
  static boolean pruned(int i) {
    return Philox.word(SEED, i) % 5 < 2;
  }

  /** Zeros in all linear maps but the head. */
  void prune(ModelFamily model) {
    for (Weight weight : Modules.of(model).maps()) {
      if (!weight.name().equals(Weight.HEAD)) {
        float[] values = read(weight.matrix().name());
        for (int i = 0; i < values.length; i++) {
          values[i] = pruned(i) ? 0 : values[i];
        }
        put(weight.matrix().name(), values);
      }
    }
  }

  /** First values of the model of a rank with this adapter. */
  static FirstValues base(ModelFamily model, Adapter adapter) {
    Set<String> maps = new HashSet<>();
    for (Weight weight : Modules.of(model).maps()) {
      if (prunes(adapter) && !weight.name().equals(Weight.HEAD)) {
        maps.add(weight.matrix().name());
      }
    }
    return (param, from, target) -> {
      Initialization.fill(param, SEED, from, target);
      for (long i = 0; maps.contains(param.name()) && i < target.bytes() / Float.BYTES; i++) {
        if (pruned((int) (from + i))) {
          target.putFloat(i, 0f);
        }
      }
    };
  }

  /** All families, two layers each, tied and not. */
  static List<ModelFamily> families() {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> one = Optional.of(1);
    Optional<Integer> mlp = Optional.of(12);
    Optional<Integer> rows = Optional.of(VOCABULARY);
    double std = 0.4;
    return List.of(
        new Gpt2(8, 2, 2, none, rows, SEQUENCE, true, std, 1e-5),
        new Gpt2(8, 1, 2, none, rows, SEQUENCE, false, std, 1e-5),
        new Llama(8, 2, 2, one, none, mlp, rows, SEQUENCE, false, std, 1e4, none(), 1e-5),
        new Mistral(8, 1, 2, one, none, mlp, rows, SEQUENCE, false, std, 1e4, none(), 1e-5, none),
        new Qwen2(8, 1, 2, one, none, mlp, rows, SEQUENCE, true, std, 1e4, none(), 1e-5, none),
        new Qwen3(8, 1, 2, one, none, mlp, rows, SEQUENCE, false, std, 1e4, none(), 1e-5, none));
  }

  private static <T> Optional<T> none() {
    return Optional.empty();
  }

  /** Factors of all linear maps but the head, scaled by alpha / sqrt(rank). */
  public static Lora lora(int rank, double alpha, double dropout, List<String> saved) {
    return new Lora(
        rank,
        alpha,
        true,
        dropout,
        List.of(Modules.ALL_LINEAR),
        List.of(),
        Map.of(),
        Map.of(),
        saved,
        Optional.empty());
  }

  static Dora dora(int rank, double alpha, double dropout) {
    Lora same = lora(rank, alpha, dropout, List.of());
    return Dora.of(same);
  }

  /** The same behind the zeros of the weights. */
  public static MaskLora maskLora(int rank, double alpha, List<String> saved) {
    List<String> all = List.of(Modules.ALL_LINEAR);
    return new MaskLora(rank, alpha, true, 0, all, List.of(), Map.of(), Map.of(), saved);
  }

  static Perp perp(int rank, int headRank, double alpha) {
    return new Perp(rank, headRank, alpha, true, List.of(Modules.ALL_LINEAR), List.of());
  }

  static Paca paca(int rank, double alpha) {
    return new Paca(rank, alpha, List.of(Modules.ALL_LINEAR), List.of(), Map.of(), List.of());
  }

  /** The same over a base of 4 bits. */
  static Adapter nf4(Adapter adapter) {
    if (adapter instanceof Paca paca) {
      return new Paca(
          paca.rank(),
          paca.alpha(),
          paca.targets(),
          paca.exclude(),
          paca.rankPattern(),
          paca.modulesToSave(),
          Base.NF4);
    }
    Lora packed = (adapter instanceof Dora dora ? dora.lora() : (Lora) adapter).over(Base.NF4);
    return adapter instanceof Dora ? Dora.of(packed) : packed;
  }

  public StepProgram program() {
    return program;
  }

  void write(int batch) {
    StepInputs inputs = program.inputs();
    for (int i = 0; i < TOKENS; i++) {
      inputs.tokens().put(i, token(batch, i));
      inputs.targets().put(i, token(batch, i + 1));
      inputs.positions().put(i, i % SEQUENCE);
    }
    inputs.place((long) batch * TOKENS);
  }

  private static int token(int batch, int i) {
    return Math.floorMod(((batch * 31 + i) * 0x9E3779B1) >>> 7, VOCABULARY);
  }

  /** One update. */
  public StepOutcome step(int batch) {
    write(batch);
    return program.finish(++updates, 1.0, false).copy();
  }

  float evaluate(int batch) {
    write(batch);
    return program.evaluate().lossSum();
  }

  /** Loss sum of a training forward; gradients are {@link #read} as {@code grad/NAME}. */
  float accumulate(int batch) {
    program.memory().clear(Role.GRADIENT);
    write(batch);
    program.accumulate();
    program.memory().await(0);
    return read("loss_sum")[0];
  }

  public float[] read(String variable) {
    program.memory().fetch(variable);
    return program.memory().span(variable).toFloats();
  }

  /** A matrix of the base, however it is kept. */
  float[] matrix(String name) {
    float[] packed = unpacked().get(name);
    return packed == null ? read(name) : packed;
  }

  public void put(String variable, float[] values) {
    Span span = program.memory().span(variable);
    for (int i = 0; i < values.length; i++) {
      span.putFloat(i, values[i]);
    }
    program.memory().publish(variable);
  }

  /** The matrices that are kept packed, by name, unpacked by {@link Nf4Reference}. */
  Map<String, float[]> unpacked() {
    Map<String, float[]> all = new TreeMap<>();
    for (Nf4Weight weight : program.projection().packed()) {
      List<Span> spans =
          weight.variables().stream().map(v -> program.memory().span(v.name())).toList();
      int elements = (int) weight.matrix().shape().elements();
      float[] values = new float[elements];
      for (int i = 0; i < elements; i++) {
        values[i] = Nf4Reference.element(spans, i);
      }
      all.put(weight.matrix().name(), values);
    }
    return all;
  }

  /** Every parameter by name. */
  Map<String, float[]> params() {
    Map<String, float[]> all = new TreeMap<>();
    program.params().forEach(param -> all.put(param.name(), read(param.name())));
    return all;
  }

  /** Random numbers in the place of what an adapter begins with. */
  void stir(Param param, double std) {
    Param random =
        new Param(
            param.name() + "?",
            param.shape(),
            param.demand(),
            dev.kindling.kernels.graph.Init.normal(std),
            true);
    float[] values = new float[(int) param.shape().elements()];
    try (Span span = Span.allocate(values.length * (long) Float.BYTES)) {
      Initialization.fill(random, SEED, span);
      float[] old = read(param.name());
      for (int i = 0; i < values.length; i++) {
        values[i] = old[i] + span.getFloat(i);
      }
    }
    put(param.name(), values);
  }

  @Override
  public void close() {
    program.close();
    data.close();
    backend.close();
  }
}
