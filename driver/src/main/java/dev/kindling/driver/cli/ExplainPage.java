package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.Bound;
import dev.kindling.configs.yaml.RecordRenderer;
import dev.kindling.configs.yaml.ValueOrigin;
import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.graph.Role;
import dev.kindling.worker.data.Prepared;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.BatchArithmetic;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.StepStages;
import dev.kindling.worker.step.TrainStep;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;

/** The page of {@code explain}: plain text, the same for the same plan on every machine. */
final class ExplainPage {
  private final Bound<TrainPlan> bound;
  private final TrainPlan plan;
  private final StringBuilder out = new StringBuilder();

  ExplainPage(Bound<TrainPlan> bound) {
    this.bound = bound;
    this.plan = bound.value();
  }

  String text() {
    values();
    batches();
    StepMemory memory = StepMemory.of(plan, graphs(plan));
    StepStages step =
        StepStages.of(memory.chosen(), plan.arithmetic().accumulation(), memory::activationBytes);
    stages(step);
    memory(step, memory);
    methods(memory);
    work(step, memory.chosen().model().parameterCount());
    return out.toString();
  }

  /** The sentences of the plan; opens the tokenizer for the vocabulary, reads no text. */
  static TrainStep graphs(TrainPlan plan) {
    if (plan.data() instanceof Prepared prepared) {
      return WorkerTask.graphs(plan, TokenShards.open(Path.of(prepared.path())));
    }
    try (Tokenizer tokenizer = Tokenizer.open(plan.tokenizer())) {
      return WorkerTask.graphs(plan, tokenizer.vocabularySize(), plan.data().maskDocuments());
    }
  }

  private void values() {
    line("values (where each came from)");
    Map<String, ValueOrigin> origins = bound.origins();
    for (Map.Entry<String, String> leaf : RecordRenderer.leaves(plan.withoutSecrets()).entrySet()) {
      String origin = String.valueOf(origins.getOrDefault(leaf.getKey(), nearest(leaf.getKey())));
      line("  %-28s %-40s %s", leaf.getKey(), shorten(leaf.getValue()), origin);
    }
  }

  /** A list of sections is one leaf here, but was read item by item. */
  private ValueOrigin nearest(String path) {
    return bound.origins().entrySet().stream()
        .filter(e -> e.getKey().startsWith(path + ".") || path.startsWith(e.getKey() + "."))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse(ValueOrigin.DEFAULT);
  }

  private static String shorten(String value) {
    return value.length() <= 60 ? value : value.substring(0, 57) + "...";
  }

  private void batches() {
    BatchArithmetic counts = plan.arithmetic();
    section("batches");
    row("tokens per step", plan.globalBatch(), "over all ranks");
    row("samples per step", counts.samplesPerStep(), plan.sequenceLength() + " tokens each");
    row("ranks", plan.ranks(), "");
    row("micro-steps per step", counts.accumulation(), "per rank");
    row("tokens per micro-step", counts.tokensPerMicroStep(), "over all ranks");
    row("sequences per micro-batch", counts.sequencesPerMicroBatch(), "");
    row("logical shards per rank", counts.logicalShardsPerRank(), "");
    row("tokens of the whole run", plan.steps() * plan.globalBatch(), plan.steps() + " steps");
  }

  private void stages(StepStages step) {
    section("graph of one rank and micro-batch, after each pass");
    line("  %-28s %8s %18s %18s", "pass", "nodes", "activation bytes", "FLOPs");
    for (StepStages.Stage stage : step.stages()) {
      line(
          "  %-28s %,8d %,18d %,18d",
          stage.pass(), stage.nodes(), stage.activationBytes(), stage.flops());
    }
  }

  private void memory(StepStages step, StepMemory memory) {
    if (plan.device() == Device.CUDA) {
      deviceMemory(memory.deviceBytes());
    } else {
      section("memory of one rank, bytes");
      for (Map.Entry<Role, Long> entry : step.variableBytes().entrySet()) {
        Role role = entry.getKey();
        row(role.name().toLowerCase(Locale.ROOT), entry.getValue(), note(role, "as fp32"));
      }
      row("activations", step.activationBytes(), "largest arena of any program");
      row("all", step.rankBytes(), "");
      snapshot(step.variableBytes(), 0);
    }
    section("ways to fit, fastest first, bytes of one rank; limit: " + memory.limitText());
    for (MemoryFit.Candidate candidate : memory.candidates()) {
      boolean taken = candidate.saving().equals(memory.chosen().shape().saving());
      line(
          "  %-38s %,20d  %s",
          candidate.saving(), candidate.bytes(), taken ? memory.takenText() : "");
    }
  }

  private static String note(Role role, String narrow) {
    return switch (role) {
      case STATE -> "of the optimizer";
      case FROZEN -> "matrices of 4 bits";
      case NARROW_STATE -> "of the optimizer, " + narrow;
      case FRESH_GRADIENT -> "of matrices, " + narrow;
      case PAYLOAD -> "between replicas";
      default -> "";
    };
  }

  private void deviceMemory(CudaBytes bytes) {
    section("memory that one rank reserves on its GPU, bytes, the context apart");
    for (Role role : Role.values()) {
      long arena = bytes.variables().getOrDefault(role, 0L);
      if (arena > 0) {
        row(role.name().toLowerCase(Locale.ROOT), arena, note(role, "in bf16"));
      }
    }
    row("bf16 copies", bytes.copies(), "of the parameters");
    if (bytes.codes() > 0) {
      row("int8 codes", bytes.codes(), "of the hidden matrices, which have no other place");
    }
    row("activations", bytes.activations(), "largest arena of any program");
    row("scratch", bytes.scratch(), "of one node, on 132 multiprocessors");
    row("workspace", bytes.workspace(), "of matrix products");
    row("tables", bytes.ropeTables() + bytes.constants(), "rotary angles, addresses of tensors");
    row("all", bytes.total(), "");
    row("page-locked on the host", bytes.pinnedHost(), "not counted above");
    snapshot(bytes.variables(), bytes.codes());
  }

  /** Of a run that saves beside its steps: what its rank holds of the weights, and their state. */
  private void snapshot(Map<Role, Long> bytes, long codes) {
    if (plan.checkpoint().async() && plan.checkpoint().everySteps() > 0) {
      long shard = bytes.getOrDefault(Role.SHARD, 0L);
      long weights = shard > 0 ? shard : bytes.getOrDefault(Role.PARAMETER, 0L);
      String note = "on the host, of the last save; without room saves stop the steps";
      long state = bytes.getOrDefault(Role.STATE, 0L) + bytes.getOrDefault(Role.NARROW_STATE, 0L);
      row("snapshot", weights + codes + state, note);
    }
  }

  private void methods(StepMemory memory) {
    section("memory by method, MiB of one rank; W weights, G gradients, S state, A activations");
    MemoryTable.of(memory).lines().forEach(line -> line("  %s", line));
  }

  private void work(StepStages step, long ofModel) {
    section("one step");
    row("parameters", step.parameters(), "trained scalars" + share(step.parameters(), ofModel));
    row("FLOPs", step.flops(), "per rank, matrix products");
    row("FLOPs per token", step.flops() * plan.ranks() / plan.globalBatch(), "");
    row("bytes moved", step.bytes(), "per rank, if no cache existed");
    for (StepStages.Traffic each : step.traffic()) {
      String note = "bytes handed in by a rank, " + each.calls() + " calls";
      row(each.collective(), each.bytes(), note);
    }
    row("bytes sent", step.sentBytes(), "per rank, over " + plan.ranks() + " ranks");
  }

  private static String share(long trained, long all) {
    String percent = String.format(Locale.ROOT, "%.3f", 100.0 * trained / all);
    return trained == all ? "" : ", " + percent + "% of the " + all + " of the model";
  }

  private void section(String title) {
    line("");
    line("%s", title);
  }

  private void row(String name, long value, String note) {
    line("  %-28s %,20d  %s", name, value, note);
  }

  private void line(String format, Object... arguments) {
    out.append(String.format(Locale.ROOT, format, arguments).stripTrailing()).append('\n');
  }
}
