package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.cuda.CudaBytes;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.TrainStep;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryTableTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 256, layers: 2, heads: 4, context: 128}
      data: {type: text, paths: [texts]}
      tokenizer: {type: bytes}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 100
      sequence_length: 128
      micro_batch: 2048
      global_batch: 4096
      """;

  private static StepMemory memory(String... sets) {
    TrainPlan plan =
        PlanReader.read(ConfigDocument.parse(CONFIG, "exp.yaml"), List.of(sets)).value();
    return StepMemory.of(plan, ExplainPage.graphs(plan));
  }

  private static Map<String, MemoryRow> rows(String... sets) {
    return MemoryTable.of(memory(sets)).rows().stream()
        .collect(Collectors.toMap(MemoryRow::method, Function.identity()));
  }

  private static MemoryRow row(Map<String, MemoryRow> rows, String method) {
    MemoryRow row = rows.get(method);
    assertThat(row).as("%s of %s", method, rows.keySet()).isNotNull();
    return row;
  }

  private static long arenas(Memory memory, Role... roles) {
    return Arrays.stream(roles).mapToLong(role -> memory.arena(role).bytes()).sum();
  }

  @Test
  void theConfiguredRowIsWhatTheProgramAllocatesOnTheCpu() {
    StepMemory memory = memory();
    MemoryRow row = MemoryTable.of(memory).rows().get(0);
    List<Graph> programs = memory.chosen().programs();
    try (Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory arenas = cpu.allocate(TrainStep.variables(programs), programs)) {
      assertThat(row.weights()).isEqualTo(arenas(arenas, Role.PARAMETER));
      assertThat(row.gradients()).isEqualTo(arenas(arenas, Role.GRADIENT, Role.FRESH_GRADIENT));
      assertThat(row.state()).isEqualTo(arenas(arenas, Role.STATE, Role.NARROW_STATE));
      assertThat(row.workspace()).isEqualTo(arenas(arenas, Role.INPUT, Role.OUTPUT, Role.STEP));
      assertThat(row.total()).isEqualTo(cpu.bytesNeeded(TrainStep.variables(programs), programs));
    }
  }

  @ParameterizedTest
  @CsvSource({"cuda, 4096", "cuda, 2048", "cpu, 4096"})
  void everyRowIsAPriceOfThePlanner(String device, int globalBatch) {
    StepMemory memory = memory("device=" + device, "global_batch=" + globalBatch);
    List<MemoryRow> rows = MemoryTable.of(memory).rows();
    long taken = memory.candidates().get(0).bytes();
    assertThat(rows.get(0).total()).isEqualTo(taken);
    if (device.equals("cuda")) {
      CudaBytes bytes = memory.deviceBytes();
      assertThat(rows.get(0).total()).isEqualTo(bytes.total());
      assertThat(rows.get(0).activations()).isEqualTo(bytes.activations());
    }
  }

  /** No role of variables is left out: codes of 8 bits and matrices of 4 are weights too. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "cuda | optimizer={type: apollo, lr: 1, rank: 64, weights: int8}",
        "cuda | adapter={type: lora, base: nf4}",
        "cpu | adapter={type: lora, base: nf4}",
        "cuda | adapter={type: perp, rank: 4}"
      })
  void packedWeightsAreInTheTable(String device, String method) {
    StepMemory memory = memory("device=" + device, method);
    MemoryRow row = MemoryTable.of(memory).rows().get(0);
    assertThat(row.total()).isEqualTo(memory.candidates().get(0).bytes());
  }

  @Test
  void layerwiseUpdatesHaveNoRowOfAnAdapter() {
    List<String> lines =
        MemoryTable.of(
                memory("global_batch=2048", "memory.gradients=layerwise", "optimizer.clip_norm=0"))
            .lines();
    assertThat(lines)
        .anyMatch(line -> line.startsWith("not adapter lora, rank 8: memory.gradients: "))
        .anyMatch(line -> line.startsWith("not adapter paca, rank 16: memory.gradients: "))
        .anyMatch(line -> line.startsWith("galore, rank 64 "));
  }

  /** A row says of a method what a configuration of it says of itself. */
  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void aRowIsTheConfiguredRowOfARunThatTakesThatMethod(String device) {
    Map<String, String> methods =
        Map.of(
            "adamw", "optimizer={type: adamw, lr: 1}",
            "adamw, state int8", "optimizer={type: adamw, lr: 1, state: int8}",
            "apollo, rank 64", "optimizer={type: apollo, lr: 1, rank: 64}",
            "apollo_mini", "optimizer={type: apollo_mini, lr: 1}",
            "galore, rank 64", "optimizer={type: galore, lr: 1, rank: 64}",
            "mezo", "optimizer={type: mezo, lr: 1}",
            "adapter lora, rank 8", "adapter={type: lora, rank: 8, alpha: 8}",
            "adapter paca, rank 16", "adapter={type: paca, rank: 16, alpha: 16}",
            "recompute blocks", "memory={recompute: blocks, loss_chunks: 1}");
    Map<String, MemoryRow> rows = rows("device=" + device);
    assertThat(rows).hasSize(methods.size() + 2);
    methods.forEach(
        (method, set) -> {
          MemoryRow own = row(rows("device=" + device, set), "as configured");
          assertThat(row(rows, method).parts()).as(method).isEqualTo(own.parts());
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void methodsKeepTheirPromises(String device) {
    Map<String, MemoryRow> rows = rows("device=" + device);
    MemoryRow adamw = row(rows, "adamw");
    MemoryRow mezo = row(rows, "mezo");
    MemoryRow lora = row(rows, "adapter lora, rank 8");
    MemoryRow paca = row(rows, "adapter paca, rank 16");
    long apollo = row(rows, "apollo, rank 64").state();
    assertThat(row(rows, "apollo_mini").state()).isLessThan(apollo);
    assertThat(apollo).isLessThan(row(rows, "galore, rank 64").state());
    assertThat(row(rows, "galore, rank 64").state()).isLessThan(adamw.state());
    assertThat(row(rows, "adamw, state int8").state()).isLessThan(adamw.state() / 2);
    assertThat(mezo.state()).isZero();
    // Sums of losses and tokens alone, a cache line each.
    assertThat(mezo.gradients()).isLessThan(4096);
    assertThat(mezo.activations()).isLessThan(adamw.activations() / 2);
    assertThat(lora.state()).isLessThan(adamw.state() / 10);
    assertThat(lora.gradients()).isLessThan(adamw.gradients() / 10);
    assertThat(paca.activations()).isLessThan(lora.activations());
    assertThat(row(rows, "recompute blocks").activations())
        .isLessThan(row(rows, "recompute none").activations());
    assertThat(row(rows, "as configured").parts()).isEqualTo(adamw.parts());
  }

  @Test
  void whatThePlanCannotHaveIsSaid() {
    MemoryTable table = MemoryTable.of(memory("ranks=2", "mesh.zero=2"));
    assertThat(table.lines())
        .anyMatch(line -> line.startsWith("not galore, rank 64: mesh.zero: 0 with galore ("))
        .anyMatch(line -> line.startsWith("not mezo: mesh.zero: 0 with mezo ("))
        .anyMatch(line -> line.startsWith("apollo_mini "));
  }

  @Test
  void adaptersOfARuleForMatricesAreThoseOfAdamW() {
    for (String rule : List.of("apollo, rank: 8", "apollo_mini", "galore, rank: 8")) {
      Map<String, MemoryRow> other = rows("optimizer={type: " + rule + ", lr: 1e-3}");
      for (String adapter : List.of("adapter lora, rank 8", "adapter paca, rank 16")) {
        assertThat(row(other, adapter).parts()).isEqualTo(row(rows(), adapter).parts());
      }
    }
  }

  @Test
  void otherStepsAndAdaptersHaveTheSameAlternatives() {
    assertThat(rows("optimizer={type: mezo, lr: 1e-6}"))
        .containsKeys("as configured", "adamw", "mezo", "adapter lora, rank 8")
        .doesNotContainKey("recompute none");
    Map<String, MemoryRow> adapted = rows("adapter={type: lora, rank: 4, alpha: 4}");
    assertThat(row(adapted, "no adapter").parts()).isEqualTo(row(rows(), "adamw").parts());
    assertThat(adapted).containsKeys("as configured", "adapter lora, rank 8", "mezo");
    // It would be AdamW under another name.
    assertThat(adapted).doesNotContainKey("apollo_mini");
  }

  @Test
  void barsAreInProportionAndEndTogether() {
    MemoryRow row = new MemoryRow("a", 10, 10, 20, 35, 5);
    assertThat(MemoryTable.bar(row, 80)).isEqualTo("WWWWWGGGGGSSSSSSSSSSAAAAAAAAAAAAAAAAAA..");
    assertThat(MemoryTable.bar(row, 160)).hasSize(20);
    assertThat(MemoryTable.bar(new MemoryRow("b", 0, 0, 0, 0, 0), 80)).isEmpty();
  }

  @Test
  void thePageHasTheTable() {
    String page =
        new ExplainPage(PlanReader.read(ConfigDocument.parse(CONFIG, "exp.yaml"), List.of()))
            .text();
    assertThat(page)
        .contains("memory by method, MiB of one rank")
        .containsPattern("\n  as configured +[0-9.,]+ +[0-9.,]+ +[0-9.,]+ .* W+G+S+A+");
  }
}
