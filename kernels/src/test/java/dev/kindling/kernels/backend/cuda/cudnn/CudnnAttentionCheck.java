package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.Cast;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.GroupSum;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.KeyRows;
import dev.kindling.kernels.backend.cuda.cudnn.BackwardForm.QueryGradient;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;

/**
 * A program for a machine with a GPU, run by hand: which descriptions cuDNN's engines take, whether
 * results are right and the same twice, and how long they take.
 */
public final class CudnnAttentionCheck {
  private static final int POISON = 0xFF;
  private static final int CONFIGS_PER_FORM = 3;
  private static final int REPEATS = 6;

  private final long started = System.nanoTime();
  private final double seconds;
  private final List<String> table = new ArrayList<>();
  private final Set<BackwardForm> right = new LinkedHashSet<>();
  private int wrong;

  private final List<QueryGradient> queries;

  private CudnnAttentionCheck(double seconds, List<QueryGradient> queries) {
    this.seconds = seconds;
    this.queries = queries;
  }

  /** Arguments: seconds after which no stage starts, then the forms of dq to try (default all). */
  public static void main(String[] arguments) {
    double seconds = arguments.length > 0 ? Double.parseDouble(arguments[0]) : 50;
    List<QueryGradient> queries =
        arguments.length < 2
            ? List.of(QueryGradient.values())
            : Arrays.stream(arguments).skip(1).map(QueryGradient::valueOf).toList();
    CudnnAttentionCheck check = new CudnnAttentionCheck(seconds, queries);
    check.run();
    System.out.println("==== TABLE ====");
    check.table.forEach(System.out::println);
    System.out.println(check.wrong == 0 ? "ALL OK" : "WRONG: " + check.wrong);
    System.out.flush();
    // Native threads of a broken library must not keep the process.
    Runtime.getRuntime().halt(check.wrong == 0 ? 0 : 1);
  }

  private double elapsed() {
    return (System.nanoTime() - started) / 1e9;
  }

  private void row(String format, Object... values) {
    String line = String.format(Locale.ROOT, format, values);
    table.add(line);
    say(line);
  }

  private void say(String line) {
    System.out.printf(Locale.ROOT, "[%5.1f] %s%n", elapsed(), line);
    System.out.flush();
  }

  /** A stage that fails says so and spares the others. */
  private void stage(String name, Callable<?> action) {
    if (elapsed() > seconds) {
      row("%s: skipped, time is up", name);
      return;
    }
    try {
      action.call();
    } catch (Exception | LinkageError failed) {
      wrong++;
      row("%s: FAILED %s", name, shortened(String.valueOf(failed)));
      failed.printStackTrace(System.out);
    }
  }

  private static String shortened(String text) {
    String line = text.replaceAll("\\s+", " ");
    return line.length() > 420 ? line.substring(0, 420) + "..." : line;
  }

  private void run() {
    try (CheckDevice device = new CheckDevice();
        CudnnHandle handle = CudnnHandle.open()) {
      handle.setStream(device.stream());
      row("%s, cuDNN %d", CheckDevice.name(), handle.version());
      stage("probe", () -> probe(device, handle, 4));
      stage("probe groups", () -> probe(device, handle, 1));
      stage(
          "gpt2", () -> large(device, handle, new CheckCase.Shape(32, 1024, 12, 12, 64, true, 0)));
      stage("T 257", () -> small(device, handle, new CheckCase.Shape(2, 257, 4, 4, 64, true, 0)));
      stage("llama", () -> large(device, handle, new CheckCase.Shape(8, 1024, 32, 8, 64, true, 0)));
      stage(
          "C 128", () -> large(device, handle, new CheckCase.Shape(8, 2048, 16, 16, 128, true, 0)));
      for (int tokens : new int[] {64, 128, 257}) {
        for (int headDim : new int[] {64, 128}) {
          for (int kvHeads : new int[] {4, 1}) {
            boolean packed = (tokens / 64 + headDim / 64 + kvHeads) % 2 == 0;
            stage(
                "small",
                () ->
                    small(
                        device,
                        handle,
                        new CheckCase.Shape(2, tokens, 4, kvHeads, headDim, packed, 0)));
          }
        }
      }
      stage(
          "outliers",
          () -> small(device, handle, new CheckCase.Shape(2, 128, 4, 4, 64, true, 0.001)));
      stage("C 72", () -> small(device, handle, new CheckCase.Shape(2, 100, 4, 2, 72, false, 0)));
      stage("T 2", () -> small(device, handle, new CheckCase.Shape(1, 2, 4, 4, 64, true, 0)));
    }
  }

  private Void probe(CheckDevice device, CudnnHandle handle, int kvHeads) {
    CheckCase test =
        new CheckCase(device, new CheckCase.Shape(2, 128, 4, kvHeads, 64, kvHeads == 4, 0));
    AttentionReference expected = test.reference();
    try (CudnnAttention forward = CudnnAttention.forward(handle, test.layout)) {
      say("forward: " + forward.engine());
      run(device, forward.bind(test.forward(), workspace(device, forward)));
    }
    CheckCase.Verdict verdict = test.forwardVerdict(expected);
    row("probe forward K %d: %s %s", kvHeads, verdict.text(), verdict.good() ? "ok" : "WRONG");
    BackwardForm plain = BackwardForm.DEFAULT;
    for (QueryGradient query : queries) {
      probe(device, handle, test, expected, plain.with(query));
      if (kvHeads != 4) {
        probe(device, handle, test, expected, plain.with(query).with(GroupSum.FP32));
      }
    }
    for (QueryGradient query : queries) {
      boolean none = right.stream().noneMatch(form -> form.query() == query);
      for (KeyRows key : KeyRows.values()) {
        for (Cast cast : Cast.values()) {
          BackwardForm form = plain.with(query).with(key).with(cast);
          if (none && !form.equals(plain.with(query)) && elapsed() < seconds / 2) {
            probe(device, handle, test, expected, form);
          }
        }
      }
    }
    if (kvHeads == 4 && right.isEmpty()) {
      wrong++;
      row("no form of the gradient is right");
    }
    return null;
  }

  private void probe(
      CheckDevice device,
      CudnnHandle handle,
      CheckCase test,
      AttentionReference expected,
      BackwardForm form) {
    OperationGraph graph = BackwardGraph.of(test.layout, form);
    int proposals = 1;
    for (int i = 0; i < Math.min(proposals, CONFIGS_PER_FORM); i++) {
      String what = form + " K " + test.layout.kvHeads() + " proposal " + i;
      Engines engines = null;
      try {
        engines = new Engines(handle, graph);
        engines.failures().forEach(failure -> say("  " + shortened(failure)));
        proposals = engines.configs().size();
        if (proposals == 0) {
          row("%s: NONE %s", what, shortened(String.join("; ", engines.failures())));
          engines.close();
          return;
        }
        Engines.Config config = engines.configs().get(i);
        say(what + " of " + proposals + ": " + config);
        ExecutionPlan plan = ExecutionPlan.build(handle, config);
        CudnnAttention attention = new CudnnAttention(handle, test.layout, 1, graph, engines, plan);
        probe(device, test, expected, form, what, attention);
      } catch (RuntimeException failed) {
        row("%s: %s", what, shortened(String.valueOf(failed.getMessage())));
        if (engines != null) {
          engines.close();
        }
      }
    }
  }

  /** Once over poisoned, once over zeroed workspace: some engines add into it. */
  private void probe(
      CheckDevice device,
      CheckCase test,
      AttentionReference expected,
      BackwardForm form,
      String what,
      CudnnAttention attention) {
    try (attention) {
      long workspace = workspace(device, attention);
      StringBuilder found = new StringBuilder();
      boolean poisonedGood = false;
      for (int fill : new int[] {POISON, 0}) {
        test.poisonBackward();
        device.fill(workspace, fill, attention.workspaceBytes());
        CudnnAttention.Binding binding = attention.bind(test.backward(), workspace);
        binding.run();
        device.synchronize();
        binding.close();
        CheckCase.Verdict verdict = test.backwardVerdict(expected);
        found
            .append(fill == 0 ? " | zeroed: " : " poisoned: ")
            .append(verdict.text())
            .append(verdict.good() ? " ok" : " WRONG");
        poisonedGood |= fill != 0 && verdict.good();
      }
      row("%s: workspace %d%s", what, attention.workspaceBytes(), found);
      if (poisonedGood) {
        right.add(form);
      }
    }
  }

  private static long workspace(CheckDevice device, CudnnAttention attention) {
    return device.allocate(attention.workspaceBytes());
  }

  private static void run(CheckDevice device, CudnnAttention.Binding binding) {
    try (binding) {
      binding.run();
      device.synchronize();
    }
  }

  private Void small(CheckDevice device, CudnnHandle handle, CheckCase.Shape shape) {
    CheckCase test = new CheckCase(device, shape);
    AttentionReference expected = test.reference();
    try (CudnnAttention forward = CudnnAttention.forward(handle, test.layout);
        CudnnAttention backward =
            CudnnAttention.backward(handle, test.layout, Long.MAX_VALUE, bestForm())) {
      String forwardBits = sameBits(device, test, forward, true);
      String backwardBits = sameBits(device, test, backward, false);
      CheckCase.Verdict first = test.forwardVerdict(expected);
      CheckCase.Verdict second = test.backwardVerdict(expected);
      boolean good = first.good() && second.good();
      wrong += good ? 0 : 1;
      row(
          "%s: %s %s %s | bits fwd %s bwd %s",
          test.name(),
          first.text(),
          second.text(),
          good ? "ok" : "WRONG",
          forwardBits,
          backwardBits);
    }
    return null;
  }

  private BackwardForm bestForm() {
    return right.isEmpty() ? BackwardForm.DEFAULT : right.iterator().next();
  }

  /** Runs over differently filled workspaces, directly and as a captured graph. */
  private String sameBits(
      CheckDevice device, CheckCase test, CudnnAttention attention, boolean forward) {
    long workspace = workspace(device, attention);
    try (CudnnAttention.Binding binding = bind(attention, test, workspace, forward)) {
      Runnable replay = null;
      short[] first = null;
      int differing = 0;
      for (int i = 0; i < REPEATS; i++) {
        if (i == REPEATS / 2) {
          replay = device.capture(binding::run);
        }
        if (forward) {
          test.poisonForward();
        } else {
          test.poisonBackward();
        }
        device.fill(workspace, 37 * i, attention.workspaceBytes());
        (replay == null ? (Runnable) binding::run : replay).run();
        device.synchronize();
        short[] bits = forward ? test.outputBits() : test.gradientBits();
        first = first == null ? bits : first;
        differing += Arrays.equals(first, bits) ? 0 : 1;
      }
      wrong += differing == 0 ? 0 : 1;
      return differing == 0 ? "same" : "DIFFER in " + differing + " of " + (REPEATS - 1);
    }
  }

  private static CudnnAttention.Binding bind(
      CudnnAttention attention, CheckCase test, long workspace, boolean forward) {
    return forward
        ? attention.bind(test.forward(), workspace)
        : attention.bind(test.backward(), workspace);
  }

  private Void large(CheckDevice device, CudnnHandle handle, CheckCase.Shape shape) {
    CheckCase test = new CheckCase(device, shape);
    try (CudnnAttention forward = CudnnAttention.forward(handle, test.layout)) {
      say(forward.engine());
      String bits = sameBits(device, test, forward, true);
      row(
          "%s: FORWARD %.1f us, bits %s, workspace %d",
          test.name(), time(device, test, forward, true), bits, forward.workspaceBytes());
    }
    for (QueryGradient query : queries) {
      right.stream()
          .filter(form -> form.query() == query)
          .findFirst()
          .ifPresent(form -> timeForm(device, handle, test, form));
    }
    for (int launches = 2; launches <= shape.batch() && elapsed() < seconds; launches *= 4) {
      split(device, handle, test, launches);
    }
    return null;
  }

  private void timeForm(CheckDevice device, CudnnHandle handle, CheckCase test, BackwardForm form) {
    try (CudnnAttention backward =
        CudnnAttention.backward(handle, test.layout, Long.MAX_VALUE, form)) {
      say(form + ": " + backward.engine());
      double us = time(device, test, backward, false);
      boolean deterministicForm = form.query() != QueryGradient.IN_MEMORY;
      int before = wrong;
      String bits = sameBits(device, test, backward, false);
      wrong = deterministicForm ? wrong : before;
      row(
          "%s: BACKWARD %s %.1f us, bits %s, workspace %d MiB",
          test.name(), form.query(), us, bits, backward.workspaceBytes() >> 20);
    } catch (RuntimeException failed) {
      row("%s: BACKWARD %s %s", test.name(), form, shortened(String.valueOf(failed)));
    }
  }

  private void split(CheckDevice device, CudnnHandle handle, CheckCase test, int launches) {
    AttentionLayout part = test.layout.withBatch(test.layout.batch() / launches);
    OperationGraph graph = BackwardGraph.of(part, bestForm());
    Engines engines = new Engines(handle, graph);
    try {
      ExecutionPlan plan = ExecutionPlan.choose(handle, engines, "part", Long.MAX_VALUE);
      try (CudnnAttention backward =
          new CudnnAttention(handle, test.layout, launches, graph, engines, plan)) {
        row(
            "%s: BACKWARD %s in %d launches %.1f us, workspace %d MiB",
            test.name(),
            bestForm().query(),
            launches,
            time(device, test, backward, false),
            backward.workspaceBytes() >> 20);
      }
    } catch (RuntimeException failed) {
      engines.close();
      row("%s: %d launches: %s", test.name(), launches, shortened(String.valueOf(failed)));
    }
  }

  private static double time(
      CheckDevice device, CheckCase test, CudnnAttention attention, boolean forward) {
    long workspace = workspace(device, attention);
    try (CudnnAttention.Binding binding = bind(attention, test, workspace, forward)) {
      binding.run();
      device.synchronize();
      return device.microseconds(10, device.capture(binding::run));
    }
  }
}
