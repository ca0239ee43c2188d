package dev.kindling.benchmarks;

import java.util.List;
import java.util.Map;

/** {@code MODEL MICRO SEQ [--name value]...}: what the benchmarks on a GPU are told. */
record GpuOptions(GpuModel model, int micro, int sequence, BenchOptions more) {

  static GpuOptions of(List<String> arguments, Map<String, String> defaults) {
    if (arguments.size() < 3) {
      throw new IllegalArgumentException("expected MODEL MICRO SEQ, found " + arguments);
    }
    return new GpuOptions(
        GpuModel.named(arguments.get(0)),
        positive("MICRO", arguments.get(1)),
        positive("SEQ", arguments.get(2)),
        BenchOptions.of(arguments.subList(3, arguments.size()), defaults));
  }

  private static int positive(String name, String text) {
    if (!text.matches("[1-9][0-9]{0,6}")) {
      throw new IllegalArgumentException(name + ": expected a positive number, found " + text);
    }
    return Integer.parseInt(text);
  }

  /** Beginning of the names of this run's results. */
  String prefix(String benchmark) {
    return benchmark + '.' + model.name() + '.' + micro + 'x' + sequence + '.';
  }
}
