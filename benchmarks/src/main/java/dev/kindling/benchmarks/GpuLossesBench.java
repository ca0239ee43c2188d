package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepProgram;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * {@code bench gpu-losses MODEL MICRO SEQ --folder DIR [--steps N] [--lr X] [--device cuda|cpu]}:
 * trains some steps and leaves in the folder all that {@code torch_losses.py} needs to train the
 * same: first weights, each step's tokens and targets, the settings, and our losses.
 *
 * <p>Tokens follow a law of 1 / (id + 1), so that there is something to learn at once.
 */
final class GpuLossesBench implements Benchmark {
  private static final int SEED = 1;

  @Override
  public void run(Results results, List<String> arguments) throws IOException {
    GpuOptions options =
        GpuOptions.of(
            arguments, Map.of("folder", "", "steps", "20", "lr", "3e-4", "device", "cuda"));
    BenchOptions more = options.more();
    if (more.text("folder").isEmpty()) {
      throw new IllegalArgumentException("--folder: expected a folder to write to");
    }
    Path folder = Files.createDirectories(Path.of(more.text("folder")));
    double lr = Double.parseDouble(more.text("lr"));
    int steps = more.count("steps");
    Communicator alone = LoopbackCommunicator.create(1).get(0);
    try (Backend backend = backend(more.text("device"));
        StepProgram program =
            StepProgram.compile(
                options.model().graphs(options.micro(), options.sequence(), lr), backend, alone)) {
      writeWeights(folder, program);
      writeSettings(folder, options, steps, lr);
      train(folder, program, options, steps);
    }
    results.note("written: " + folder);
  }

  /** The CPU computes in fp32: with it the script itself can be checked. */
  private static Backend backend(String device) {
    return switch (device) {
      case "cuda" -> Backend.cuda(new CudaOptions(0, Precision.BF16, true, false));
      case "cpu" ->
          Backend.cpu(new CpuOptions(Runtime.getRuntime().availableProcessors(), MatmulKind.JAVA));
      default ->
          throw new IllegalArgumentException("--device: expected cuda or cpu, found " + device);
    };
  }

  private static void writeSettings(Path folder, GpuOptions options, int steps, double lr)
      throws IOException {
    GpuModel model = options.model();
    String text =
        "model %s\nheads %d\nlayers %d\nsequence %d\nmicro %d\nsteps %d\nlr %s\n"
            .formatted(
                model.gpt2() ? "gpt2" : "llama",
                model.heads(),
                model.layers(),
                options.sequence(),
                options.micro(),
                steps,
                lr);
    Files.writeString(folder.resolve("settings.txt"), text, StandardCharsets.UTF_8);
  }

  /**
   * Fills every parameter and writes it: one line each in parameters.txt, values in weights.f32.
   */
  private static void writeWeights(Path folder, StepProgram program) throws IOException {
    StringBuilder names = new StringBuilder();
    try (FileChannel weights = create(folder.resolve("weights.f32"))) {
      for (Param param : program.params()) {
        Span span = program.memory().span(param.name());
        Initialization.fill(param, SEED, span);
        program.memory().publish(param.name());
        ByteBuffer content = span.buffer();
        content.limit(Math.toIntExact(param.shape().elements() * Float.BYTES));
        while (content.hasRemaining()) {
          weights.write(content);
        }
        String dims =
            java.util.stream.IntStream.range(0, param.shape().rank())
                .mapToObj(i -> Integer.toString(param.shape().dim(i)))
                .collect(Collectors.joining(","));
        names.append(param.name() + " " + dims + " " + (param.decay() ? "decay" : "none") + "\n");
      }
    }
    Files.writeString(folder.resolve("parameters.txt"), names, StandardCharsets.UTF_8);
  }

  private static FileChannel create(Path file) throws IOException {
    return FileChannel.open(
        file,
        StandardOpenOption.CREATE,
        StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING);
  }

  private static void train(Path folder, StepProgram program, GpuOptions options, int steps)
      throws IOException {
    SplittableRandom random = new SplittableRandom(SEED);
    StringBuilder losses = new StringBuilder();
    int tokens = program.shape().microTokens();
    try (FileChannel batches = create(folder.resolve("batches.i32"))) {
      for (int step = 1; step <= steps; step++) {
        ByteBuffer batch = ByteBuffer.allocate(2 * tokens * Integer.BYTES);
        batch.order(ByteOrder.LITTLE_ENDIAN);
        StepInputs inputs = program.inputs();
        for (int i = 0; i < tokens; i++) {
          int token = draw(random, options.model().vocabulary());
          int target = draw(random, options.model().vocabulary());
          inputs.tokens().put(i, token);
          inputs.targets().put(i, target);
          inputs.positions().put(i, i % options.sequence());
          batch.putInt(i * Integer.BYTES, token);
          batch.putInt((tokens + i) * Integer.BYTES, target);
        }
        while (batch.hasRemaining()) {
          batches.write(batch);
        }
        losses.append(program.finish(step, 1.0, false).loss()).append('\n');
      }
    }
    Files.writeString(folder.resolve("losses.txt"), losses, StandardCharsets.UTF_8);
  }

  private static int draw(SplittableRandom random, int vocabulary) {
    double id = Math.exp(random.nextDouble() * Math.log(vocabulary)) - 1;
    return Math.min(vocabulary - 1, (int) id);
  }
}
