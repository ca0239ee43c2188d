package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.bytedeco.cuda.global.cudnn;

/**
 * The engine configurations that cuDNN's heuristics propose for a graph, best first. Lives as long
 * as a plan made from one of them.
 */
final class Engines implements AutoCloseable {
  private static final int MAX_CONFIGS = 64;
  private static final int MAX_KNOBS = cudnn.CUDNN_KNOB_TYPE_COUNTS;

  /**
   * One proposal.
   *
   * @param id the engine's number for this graph
   * @param notes cudnnBackendNumericalNote_t
   * @param behaviour cudnnBackendBehaviorNote_t
   * @param knobs settings as type=value
   */
  record Config(
      Descriptor descriptor,
      String mode,
      long id,
      List<Integer> notes,
      List<Integer> behaviour,
      String knobs) {
    boolean deterministic() {
      return !notes.contains(cudnn.CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
    }

    @Override
    public String toString() {
      return "engine %d of mode %s, numerical notes %s, behaviour notes %s, knobs {%s}"
          .formatted(id, mode, notes, behaviour, knobs);
    }
  }

  private final LoweredGraph graph;
  private final List<Descriptor> owned = new ArrayList<>();
  private final List<Config> configs = new ArrayList<>();
  private final List<String> failures = new ArrayList<>();

  Engines(CudnnHandle handle, OperationGraph description) {
    graph = new LoweredGraph(handle, description);
    try {
      ask(cudnn.CUDNN_HEUR_MODE_A, "A");
      ask(cudnn.CUDNN_HEUR_MODE_FALLBACK, "fallback");
    } catch (RuntimeException failed) {
      close();
      throw failed;
    }
  }

  List<Config> configs() {
    return configs;
  }

  /** What the heuristics said instead of a proposal. */
  List<String> failures() {
    return failures;
  }

  private Descriptor descriptor(int type, String name) {
    Descriptor descriptor = new Descriptor(type, name);
    owned.add(descriptor);
    return descriptor;
  }

  private void ask(int mode, String modeName) {
    List<Descriptor> results = new ArrayList<>();
    int found;
    try {
      Descriptor heuristics =
          descriptor(cudnn.CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "heuristics " + modeName)
              .set(cudnn.CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.root())
              .set(cudnn.CUDNN_ATTR_ENGINEHEUR_MODE, cudnn.CUDNN_TYPE_HEUR_MODE, mode)
              .finish();
      for (int i = 0; i < MAX_CONFIGS; i++) {
        results.add(descriptor(cudnn.CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine configuration"));
      }
      found = heuristics.getDescriptors(cudnn.CUDNN_ATTR_ENGINEHEUR_RESULTS, results);
    } catch (DeviceException none) {
      failures.add("mode " + modeName + ": " + none.getMessage());
      return;
    }
    for (Descriptor result : results.subList(0, found)) {
      configs.add(describe(result, modeName));
    }
  }

  private Config describe(Descriptor config, String modeName) {
    Descriptor engine = descriptor(cudnn.CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine");
    config.getDescriptors(cudnn.CUDNN_ATTR_ENGINECFG_ENGINE, List.of(engine));
    return new Config(
        config,
        modeName,
        engine.getLong(cudnn.CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
        notes(
            engine,
            cudnn.CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
            cudnn.CUDNN_TYPE_NUMERICAL_NOTE,
            cudnn.CUDNN_NUMERICAL_NOTE_TYPE_COUNT),
        notes(
            engine,
            cudnn.CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE,
            cudnn.CUDNN_TYPE_BEHAVIOR_NOTE,
            cudnn.CUDNN_BEHAVIOR_NOTE_TYPE_COUNT),
        knobs(config));
  }

  private static List<Integer> notes(Descriptor engine, int attribute, int type, int limit) {
    return Arrays.stream(engine.getEnums(attribute, type, limit)).boxed().toList();
  }

  private String knobs(Descriptor config) {
    List<Descriptor> choices =
        IntStream.range(0, MAX_KNOBS)
            .mapToObj(i -> new Descriptor(cudnn.CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, "knob"))
            .toList();
    try {
      int found = config.getDescriptors(cudnn.CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choices);
      return choices.subList(0, found).stream().map(Engines::knob).collect(Collectors.joining(" "));
    } finally {
      choices.forEach(Descriptor::close);
    }
  }

  private static String knob(Descriptor choice) {
    int[] type =
        choice.getEnums(cudnn.CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, cudnn.CUDNN_TYPE_KNOB_TYPE, 1);
    return type[0] + "=" + choice.getLong(cudnn.CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
  }

  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
    owned.clear();
    graph.close();
  }
}
