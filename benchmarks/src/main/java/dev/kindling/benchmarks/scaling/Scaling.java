package dev.kindling.benchmarks.scaling;

import dev.kindling.driver.experiment.Curves;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/** What every method reaches on every number of workers and over every link. */
public record Scaling(List<Cell> cells) {
  /**
   * One simulation.
   *
   * @param gbit between hosts
   * @param algorithm of an all-reduce of all parameters in 4 bytes
   */
  public record Cell(String method, int workers, int gbit, Algorithm algorithm, Outcome outcome) {

    /** As in the names of results. */
    public String name() {
      return method + '.' + workers + "workers." + gbit + "gbit";
    }
  }

  public Scaling {
    cells = List.copyOf(cells);
  }

  /**
   * Plays all of them.
   *
   * @param steps at least, of each
   */
  public static Scaling of(
      Measurements measured, List<Integer> workers, List<Integer> gbits, int steps, long seed) {
    Worker worker = measured.worker();
    Cluster cluster = measured.fittedCluster();
    List<Cell> cells = new ArrayList<>();
    for (int count : workers) {
      StepTimes times = StepTimes.drawn(worker, count, seed);
      Map<String, Timeline.Pace> free = new HashMap<>();
      for (int gbit : gbits) {
        AllReduceCost cost = new AllReduceCost(count, cluster.between(gbit));
        Algorithm algorithm = cost.fastest(4.0 * worker.parameters());
        measured
            .methods()
            .forEach(
                (name, method) -> {
                  Timeline.Pace best =
                      free.computeIfAbsent(
                          name, n -> method.play(times, cost.withoutTime(), worker, steps));
                  Timeline.Pace pace = method.play(times, cost, worker, steps);
                  Outcome outcome = Outcome.of(worker, count, pace, best);
                  cells.add(new Cell(name, count, gbit, algorithm, outcome));
                });
      }
    }
    return new Scaling(cells);
  }

  /**
   * All of it as a table.
   *
   * @param workersPerHost up to which there is no link between hosts, and one row is enough
   */
  public String markdown(int workersPerHost) {
    StringBuilder out =
        new StringBuilder(
            "| workers | Gbit/s | method | all-reduce | tokens/s | efficiency, % | exposed, ms a step |"
                + " waiting for slower workers, ms a step |\n"
                + "| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    Set<String> rows = new LinkedHashSet<>();
    for (Cell cell : cells) {
      boolean oneHost = cell.workers() <= workersPerHost;
      Outcome outcome = cell.outcome();
      rows.add(
          String.format(
              Locale.ROOT,
              "| %,d | %s | %s | %s | %,.0f | %.1f | %.2f | %.2f |\n",
              cell.workers(),
              oneHost ? "one host" : Integer.toString(cell.gbit()),
              cell.method(),
              cell.algorithm().name().toLowerCase(Locale.ROOT),
              outcome.tokensPerSecond(),
              100 * outcome.efficiency(),
              1e3 * outcome.exposedSeconds(),
              1e3 * outcome.straggledSeconds()));
    }
    rows.forEach(out::append);
    return out.toString();
  }

  /** Efficiency over workers, a curve for each method, as SVG. */
  public String overWorkers(int gbit) {
    return picture(
        "workers, hosts joined by " + gbit + " Gbit/s", Cell::workers, c -> c.gbit() == gbit);
  }

  /** Efficiency over the rate of the links. */
  public String overLinks(int workers) {
    return picture(
        String.format(Locale.ROOT, "Gbit/s between hosts, %,d workers", workers),
        Cell::gbit,
        c -> c.workers() == workers);
  }

  private String picture(String across, ToIntFunction<Cell> x, Predicate<Cell> shown) {
    Map<String, SortedMap<Long, Double>> curves = new LinkedHashMap<>();
    for (Cell cell : cells) {
      if (shown.test(cell)) {
        curves
            .computeIfAbsent(cell.method(), name -> new TreeMap<>())
            .put((long) x.applyAsInt(cell), 100 * cell.outcome().efficiency());
      }
    }
    return Curves.figures(across, "efficiency (% of workers alone), simulated", curves);
  }
}
