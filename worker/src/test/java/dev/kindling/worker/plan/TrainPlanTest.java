package dev.kindling.worker.plan;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.configs.yaml.RecordRenderer;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Group;
import dev.kindling.optim.rule.Groups;
import dev.kindling.optim.rule.Sgd;
import java.util.List;
import org.junit.jupiter.api.Test;

class TrainPlanTest {
  static final String SMALLEST =
      """
      model: {type: llama, width: 64, layers: 2, heads: 4}
      data: {type: text, paths: [corpus]}
      optimizer: {type: adamw, lr: 1e-3}
      steps: 100
      sequence_length: 128
      micro_batch: 256
      global_batch: 1024
      """;

  /** The resolved form of {@link #SMALLEST}: a changed default is a changed line here. */
  private static final String RESOLVED =
      """
      model:
        type: llama
        width: 64
        layers: 2
        heads: 4
        context: 1024
        tie_embeddings: true
        init_std: 0.02
        rope_theta: 10000.0
        norm_eps: "1.0E-5"
      data:
        type: text
        paths: [corpus]
        validation_paths: []
        validation_fraction: 0.0
        mask_documents: false
      tokenizer:
        type: bytes
      optimizer:
        type: adamw
        lr: 0.001
        beta1: 0.9
        beta2: 0.95
        eps: 1.0E-8
        weight_decay: 0.1
        clip_norm: 1.0
        master: true
        state: fp32
      schedule:
        type: cosine
        warmup_steps: 0
        min_ratio: 0.1
      adapter:
        type: full
      sync:
        type: every_step
      mesh:
        zero: 0
      memory:
        recompute: auto
        gradients: auto
        weights: device
      checkpoint:
        every_steps: 200
        keep: 2
        async: true
        timeout: 2m
      recovery:
        hang_timeout: 1m
        host_failures: 2
      validation:
        every_steps: 100
        batches: 8
      log:
        every_steps: 1
      guard:
        hash_every_steps: 100
        spike_z: 6.0
        spike_steps: 3
        warmup_steps: 100
        rollbacks: 3
      determinism: replay
      device: cpu
      ranks: 1
      seed: 1
      steps: 100
      global_batch: 1024
      micro_batch: 256
      logical_shards: 8
      sequence_length: 128
      launcher: spark
      matmul: openblas
      threads: 0
      spark:
        startup_timeout: 5m
        conf: {}
      """
          .replace("\"1.0E-5\"", "1.0E-5");

  static TrainPlan plan(String yaml, String... sets) {
    return PlanReader.read(ConfigDocument.parse(yaml, "exp.yaml"), List.of(sets)).value();
  }

  static String refused(String yaml, String... sets) {
    try {
      plan(yaml, sets);
    } catch (ConfigException e) {
      return String.valueOf(e.getMessage());
    }
    throw new AssertionError("expected a refusal of:\n" + yaml + String.join("\n", sets));
  }

  @Test
  void everyDefault() {
    assertThat(PlanReader.toYaml(plan(SMALLEST))).isEqualTo(RESOLVED);
  }

  @Test
  void anAdapterMustFitTheModel() {
    String adapter = "adapter={type: lora, rank: 4096, targets: [q_porj]}";
    assertThat(refused(SMALLEST, adapter)).contains("adapter.targets").contains("nearest: q_proj");
    assertThat(refused(SMALLEST, "adapter={type: lora, rank: 4096}"))
        .contains("adapter.rank: expected at most");
    assertThat(refused(SMALLEST, "adapter={type: frozen}"))
        .contains("adapter.modules_to_save: expected a module that is trained");
    TrainPlan plan = plan(SMALLEST, "adapter={type: dora, rank: 2, rank_pattern: {v_proj: 1}}");
    assertThat(plan(PlanReader.toYaml(plan))).isEqualTo(plan);
  }

  @Test
  void defaultsOfSectionsAndOfThePlanAgree() {
    String sections =
        SMALLEST
            + "mesh: {}\n"
            + "memory: {}\n"
            + "checkpoint: {}\n"
            + "recovery: {}\n"
            + "validation: {}\n"
            + "log: {}\n"
            + "guard: {}\n"
            + "spark: {}\n"
            + "schedule: {type: cosine}\n";
    assertThat(plan(sections)).isEqualTo(plan(SMALLEST));
    TrainPlan sgd = plan(SMALLEST, "optimizer={type: sgd, lr: 0.1}", "schedule.type=linear");
    assertThat(RecordRenderer.render(sgd))
        .contains(
            """
            optimizer:
              type: sgd
              lr: 0.1
              momentum: 0.0
              nesterov: false
              weight_decay: 0.0
              clip_norm: 1.0
            schedule:
              type: linear
              warmup_steps: 0
              min_ratio: 0.0
            """);
  }

  @Test
  void resolvedYamlReadsBackToAnEqualPlan() {
    TrainPlan plan =
        plan(
            SMALLEST,
            "seed=-7",
            "ranks=4",
            "model.kv_heads=2",
            "spark.master=local-cluster[2,1,1024]",
            "spark.conf.spark.executor.memory=2g",
            "spark.startup_timeout=90s",
            "optimizer.lr=3.0000000000000004e-4",
            "data={type: sources_jars, jars: [{coordinates: 'a.b:c:1', sha256: '"
                + "0f".repeat(32)
                + "'}]}");
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
  }

  @Test
  void parameterGroupsAreAListOfPatternsAndRules() {
    TrainPlan plan =
        plan(
            SMALLEST,
            "optimizer={type: groups, rest: {type: sgd, lr: 0.1}, groups: [{match: '*embed*|*norm*',"
                + " rule: {type: adamw, lr: 1e-3, weight_decay: 0}}]}");
    AdamW embeddings = new AdamW(1e-3, 0.9, 0.95, 1e-8, 0, 1);
    assertThat(plan.optimizer())
        .isEqualTo(
            new Groups(
                new Sgd(0.1, 0, false, 0, 1), List.of(new Group("*embed*|*norm*", embeddings))));
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
    assertThat(
            refused(
                SMALLEST,
                "optimizer={type: groups, rest: {type: groups}, groups: [{match: a, rule: {lr: 1}}]}"))
        .containsPattern("optimizer.rest.type: expected one of .*adamw.*, found \"groups\"")
        .contains("optimizer.groups.0.rule.type: missing required key");
  }

  /** Before there are data or ranks, so with the line. */
  @Test
  void aRuleMustFitWhatIsTrained() {
    assertThat(refused(SMALLEST, "optimizer={type: apollo, lr: 1, rank: 4096}"))
        .startsWith("--set:1:39 optimizer.rank: expected at most 64, the shorter side of ")
        .endsWith(", found 4096");
    assertThat(refused(SMALLEST, "optimizer={type: adam_mini, lr: 1, head_dim: 5}"))
        .containsPattern("^--set:1:\\d+ optimizer.head_dim: expected a divisor of the ")
        .endsWith(" rows of model.layers.0.self_attn.q_proj.weight, found 5");
    String groups =
        "optimizer={type: groups, rest: {type: sgd, lr: 1}, groups: [{match: '*q_porj*', rule:"
            + " {type: sgd, lr: 1}}]}";
    assertThat(refused(SMALLEST, groups))
        .containsPattern(
            "^--set:1:\\d+ optimizer.groups.0.match: expected a pattern of trained parameters")
        .contains("\"*q_porj*\" matches none");
    String lora = "adapter={type: lora, rank: 2, targets: [q_proj]}";
    String apollo = "optimizer={type: apollo, lr: 1, rank: 2}";
    assertThat(refused(SMALLEST, lora, apollo))
        .containsPattern("^--set:2:\\d+ optimizer.type: expected a rule for what is trained");
    assertThat(plan(SMALLEST, lora, groups.replace("q_porj", "lora_B")).adapter())
        .isEqualTo(plan(SMALLEST, lora).adapter());
  }

  @Test
  void rulesThatWantWholeMatricesRefusePieces() {
    String two = "mesh.zero=1";
    assertThat(refused(SMALLEST, "ranks=2", two, "optimizer={type: muon, lr: 1e-3}"))
        .isEqualTo(
            "--set:2:11 mesh.zero: expected 0 with muon (its products are those of whole matrices),"
                + " found 1");
    assertThat(refused(SMALLEST, "ranks=2", two, "optimizer={type: adafactor, lr: 1e-3}"))
        .contains("expected 0 with adafactor (its moments are those of whole rows and columns)");
    assertThat(refused(SMALLEST, "ranks=2", two, "optimizer.state=int8"))
        .contains("expected 0 with adamw's state in int8 (its blocks follow whole matrices)");
    assertThat(refused(SMALLEST, "ranks=2", two, "optimizer={type: apollo, lr: 1, weights: int8}"))
        .contains("expected 0 with apollo's weights in int8 (their groups follow whole matrices)");
    for (String type : List.of("lion", "adam_mini", "apollo_mini")) {
      String rule = "optimizer={type: " + type + ", lr: 1e-3}";
      assertThat(plan(SMALLEST, "ranks=2", two, rule).mesh().zero()).isEqualTo(1);
    }
  }

  @Test
  void batchThatDoesNotDivideNamesTheNumbersAndTheNearestValidOnes() {
    assertThat(refused(SMALLEST, "ranks=2", "global_batch=5000", "micro_batch=1000"))
        .isEqualTo(
"""
--set:2:14 global_batch: expected a multiple of ranks * micro_batch = 2 * 1000 = 2000, found 5000 (nearest: 4000 or 6000)
--set:3:13 micro_batch: expected a multiple of sequence_length 128, found 1000 (nearest: 896 or 1024)""");
    assertThat(refused(SMALLEST.replace("1024", "100")))
        .isEqualTo(
            "exp.yaml:7:15 global_batch: expected a multiple of ranks * micro_batch = 1 * 256 ="
                + " 256, found 100 (nearest: 256)");
  }

  /** A rule of a fixed kind has no type word, neither read nor written. */
  @Test
  void theRuleOfTheRestComesBackFromTheResolvedFile() {
    String rest = "rest: {lr: 0.002, clip_norm: 0, master: false, state: int8}";
    TrainPlan plan =
        plan(SMALLEST, "optimizer={type: apollo_mini, lr: 0.01, weights: int8, " + rest + "}");
    assertThat(PlanReader.fromYaml(PlanReader.toYaml(plan))).isEqualTo(plan);
  }

  @Test
  void exactModeHasRulesOfItsOwn() {
    assertThat(refused(SMALLEST, "determinism=exact", "ranks=3", "threads=2"))
        .isEqualTo(
"""
exp.yaml:7:15 global_batch: expected a multiple of logical_shards * micro_batch = 8 * 256 = 2048, found 1024 (nearest: 2048)
--set:2:7 ranks: expected a divisor of logical_shards 8, found 3 (nearest: 2 or 4)
--set:3:9 threads: expected 0 or 1 with determinism exact (more threads change the order of sums), found 2""");
    assertThat(
            refused(SMALLEST, "determinism=exact", "device=cuda", "ranks=2", "global_batch=4096"))
        .isEqualTo(
            "--set:1:13 determinism: expected replay with device cuda and several ranks (NCCL adds"
                + " in an order of its own), found EXACT");
    assertThat(refused(SMALLEST, "launcher=threads", "device=cuda", "ranks=2", "global_batch=1024"))
        .isEqualTo(
            "--set:1:10 launcher: expected spark or processes with device cuda and several ranks"
                + " (NCCL joins processes), found THREADS");
    assertThat(
            refused(SMALLEST, "determinism=exact", "global_batch=2048", "ranks=2", "mesh.zero=1"))
        .isEqualTo(
            "--set:4:11 mesh.zero: expected 0 with determinism exact (norms of pieces are summed"
                + " rank by rank), found 1");
    assertThat(refused(SMALLEST, "optimizer.master=false", "mesh.zero=2"))
        .isEqualTo(
            "--set:1:18 optimizer.master: expected true with mesh.zero above 0 (pieces are rounded"
                + " by no rule yet), found false");
    assertThat(refused(SMALLEST, "logical_shards=6"))
        .isEqualTo("--set:1:16 logical_shards: expected a power of two, found 6 (nearest: 4 or 8)");
  }

  @Test
  void everyMistakeInOneReport() {
    assertThat(
            refused(
                """
                modle: {type: llama}
                model: {type: lama, width: 64}
                data: {type: text, path: [a]}
                optimizer: {type: adamw, lr: -1, beta1: 2}
                schedule: {type: cosine, warmup_steps: 500, min_ratio: 0.1}
                determinism: exakt
                lr: 0.1
                steps: 100
                ranks: two
                sequence_length: 128
                micro_batch: 250
                global_batch: 1024
                """))
        .isEqualTo(
"""
exp.yaml:1:1 modle: unknown key "modle" (did you mean "model"?)
exp.yaml:2:15 model.type: expected one of gpt2, llama, mistral, qwen2, qwen3, huggingface, found "lama" (did you mean "llama"?)
exp.yaml:3:7 data.paths: missing required key
exp.yaml:3:20 data.path: unknown key "path" (did you mean "paths"?)
exp.yaml:4:30 optimizer.lr: expected a number above 0, found -1.0
exp.yaml:4:41 optimizer.beta1: expected a number in [0, 1), found 2.0
exp.yaml:5:40 schedule.warmup_steps: expected at most steps 100, found 500
exp.yaml:6:14 determinism: expected one of replay, exact, found "exakt" (did you mean "exact"?)
exp.yaml:7:1 lr: unknown key "lr" (did you mean "optimizer.lr"?)
exp.yaml:9:8 ranks: expected integer, found "two"
exp.yaml:11:14 micro_batch: expected a multiple of sequence_length 128, found 250 (nearest: 128 or 256)""");
  }

  @Test
  void rangesAndContext() {
    assertThat(
            refused(
                SMALLEST,
                "ranks=0",
                "steps=0",
                "threads=-1",
                "checkpoint.keep=0",
                "log.every_steps=0",
                "spark.startup_timeout=0s",
                "mesh.zero=4"))
        .isEqualTo(
            """
            --set:1:7 ranks: expected 1 or more, found 0
            --set:2:7 steps: expected 1 or more, found 0
            --set:3:9 threads: expected 0 or more, found -1
            --set:4:17 checkpoint.keep: expected 1 or more, found 0
            --set:5:17 log.every_steps: expected 1 or more, found 0
            --set:6:23 spark.startup_timeout: expected more than 0s, found 0ms
            --set:7:11 mesh.zero: expected 0, 1, 2 or 3, found 4""");
    assertThat(refused(SMALLEST, "model.context=64"))
        .isEqualTo("exp.yaml:5:18 sequence_length: expected at most model.context 64, found 128");
  }

  @Test
  void derivedCounts() {
    TrainPlan replay = plan(SMALLEST, "ranks=2", "global_batch=4096");
    assertThat(replay.arithmetic()).isEqualTo(new BatchArithmetic(2, 8, 512, 32, 1, 8));
    TrainPlan exact = plan(SMALLEST, "ranks=2", "global_batch=4096", "determinism=exact");
    assertThat(exact.arithmetic()).isEqualTo(new BatchArithmetic(2, 8, 512, 32, 4, 2));
    assertThat(BatchArithmetic.threadsPerRank(replay, 8, 2)).isEqualTo(4);
    assertThat(BatchArithmetic.threadsPerRank(replay, 2, 4)).isEqualTo(1);
    assertThat(BatchArithmetic.threadsPerRank(exact, 8, 2)).isEqualTo(1);
    assertThat(BatchArithmetic.threadsPerRank(plan(SMALLEST, "threads=3"), 8, 2)).isEqualTo(3);
  }
}
