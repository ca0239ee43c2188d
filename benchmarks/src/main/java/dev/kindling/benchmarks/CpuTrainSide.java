package dev.kindling.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * One side of {@code bench cpu-train} as a process of its own, so that neither side's thread pools
 * disturb the other: says how many parameters it trains, then reads a number of steps per line and
 * answers with the nanoseconds they took and the loss of each.
 */
public final class CpuTrainSide {
  private CpuTrainSide() {}

  /**
   * @param args side (ours or torch), shape, threads
   */
  public static void main(String[] args) throws IOException {
    TrainShape shape = TrainShape.named(args[1]);
    int threads = Integer.parseInt(args[2]);
    BufferedReader orders =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    try (TimedTraining training =
        args[0].equals("ours")
            ? new KindlingTransformer(shape, threads)
            : new TorchTransformer(shape, threads)) {
      System.out.println("PARAMETERS " + training.parameters());
      String line = orders.readLine();
      while (line != null) {
        int steps = Integer.parseInt(line);
        float[] losses = new float[steps];
        long start = System.nanoTime();
        for (int step = 0; step < steps; step++) {
          losses[step] = training.step();
        }
        long nanos = System.nanoTime() - start;
        String list = Arrays.toString(losses).replaceAll("[\\[\\] ]", "");
        System.out.println("TIMED " + nanos + " " + list);
        line = orders.readLine();
      }
    }
  }
}
