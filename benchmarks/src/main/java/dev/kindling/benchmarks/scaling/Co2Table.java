package dev.kindling.benchmarks.scaling;

import dev.kindling.configs.yaml.ByteSize;
import java.util.Set;
import java.util.function.DoubleUnaryOperator;

/**
 * The published throughput of TransNormer-LLM 7B over 80 Gbit/s TCP (Sun et al. 2024, 2401.16265;
 * numbers as a secondary review quotes them, words/s of all GPUs), and what the simulator says from
 * two of its four numbers.
 *
 * <p>From the table: a GPU's time for a word from the 8 GPUs of one host, collectives inside a host
 * in it; how many words a step has from AdamW on two hosts, at the algorithm that is asked about.
 * AdamW on 16 hosts, CO2 and their ratio are then predicted, and nothing is fitted to them.
 *
 * <p>Assumed: 7e9 parameters; hosts of 8 GPUs with one link of 80 Gbit/s each, all of it usable;
 * gradients of 2 bytes; no overlap with backward; equal GPUs; no latency; nothing paid for the
 * outer step. Words of a step and rate of the link stand in one equation, so a link that is slower
 * than its name gives proportionally longer steps and the same ratios.
 *
 * @param algorithm of all collectives between hosts
 * @param bytes of a parameter in CO2's all-reduce
 */
public record Co2Table(Algorithm algorithm, double bytes) {
  static final double ADAMW_8 = 18_444;
  static final double ADAMW_16 = 3_488;
  public static final double ADAMW_128 = 22_810;
  public static final double CO2_128 = 304_736;

  /** Throughput at 128 GPUs over 8 times that at 16, of CO2 with tau 12 and 48. */
  public static final double SCALING_12 = 0.86;

  public static final double SCALING_48 = 1.06;

  private static final long PARAMETERS = 7_000_000_000L;
  private static final double GRADIENT_BYTES = 2;
  private static final double GBIT = 80;
  private static final int PER_HOST = 8;

  /** As published: CO2 with tau 48 over AdamW at 128 GPUs. */
  public static double publishedRatio() {
    return CO2_128 / ADAMW_128;
  }

  /** Words of a step of one GPU, such that AdamW on two hosts is as fast as published. */
  public double wordsPerStep() {
    DoubleUnaryOperator excess = words -> adamw(words, 2 * PER_HOST) - ADAMW_16;
    double low = 1;
    double high = 1e6;
    while (high / low > 1 + 1e-12) {
      double middle = Math.sqrt(low * high);
      if (excess.applyAsDouble(middle) < 0) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return high;
  }

  /** Words/s of AdamW. */
  public double adamw(int gpus) {
    return adamw(wordsPerStep(), gpus);
  }

  /** Words/s of CO2. */
  public double co2(int gpus, int tau) {
    return play(new InFlight(tau, bytes), wordsPerStep(), gpus);
  }

  public double ratio() {
    return co2(128, 48) / adamw(128);
  }

  /** Throughput at 128 GPUs over 8 times that at 16. */
  public double scaling(int tau) {
    return co2(128, tau) / (8 * co2(16, tau));
  }

  private double adamw(double words, int gpus) {
    // One bucket at the end of backward: no overlap.
    return play(new EveryStep(GRADIENT_BYTES, new ByteSize(Long.MAX_VALUE)), words, gpus);
  }

  private double play(SyncMethod method, double words, int gpus) {
    double stepMs = words * PER_HOST / ADAMW_8 * 1e3;
    Worker gpu = new Worker("transnormer-7b", PARAMETERS, words, stepMs, 0, 0, 0, 1, 0, 0);
    Link inside = new Link("inside", Double.POSITIVE_INFINITY, 0, 1);
    Cluster cluster = new Cluster(PER_HOST, inside, new Link("tcp", GBIT, 0, 1));
    AllReduceCost cost = new AllReduceCost(gpus, cluster, Set.of(algorithm));
    return gpus * words / method.play(StepTimes.drawn(gpu, gpus, 0), cost, gpu, 1).stepSeconds();
  }
}
