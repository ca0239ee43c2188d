package dev.kindling.worker.peft;

import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.store.FileHash;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * A directory of an adapter as peft writes it: adapter_config.json and adapter_model.safetensors.
 * To be closed.
 */
public final class PeftDirectory implements AutoCloseable {
  /** In front of the names of parameters. */
  static final String PREFIX = "base_model.model.";

  static final String WEIGHTS = "adapter_model.safetensors";
  private static final int CONFIG_BYTES_MAX = 1 << 20;

  private final Path folder;
  private final SafetensorsFile weights;

  private PeftDirectory(Path folder, SafetensorsFile weights) {
    this.folder = folder;
    this.weights = weights;
  }

  /**
   * @throws CheckpointException if there is no such directory, or its adapter is of another kind
   */
  public static PeftDirectory open(Path folder) {
    config(folder);
    return new PeftDirectory(folder, SafetensorsFile.open(new LocalStorage(folder), WEIGHTS));
  }

  private static PeftConfig config(Path folder) {
    Path file = folder.resolve(PeftConfig.FILE);
    try {
      if (!Files.exists(file)) {
        throw new CheckpointException(
            folder + ": expected a PEFT directory, found no " + PeftConfig.FILE);
      }
      if (Files.size(file) > CONFIG_BYTES_MAX) {
        throw new CheckpointException(file + ": expected at most " + CONFIG_BYTES_MAX + " bytes");
      }
      return PeftConfig.of(Files.readAllBytes(file), file.toString());
    } catch (IOException unreadable) {
      throw new CheckpointException(file + ": cannot be read: " + unreadable, unreadable);
    }
  }

  /** Where an adapter's run begins, if not at fresh factors. */
  public static Optional<Path> of(Adapter adapter) {
    Optional<String> path = Optional.empty();
    if (adapter instanceof Lora lora) {
      path = lora.path();
    } else if (adapter instanceof Dora dora) {
      path = dora.path();
    }
    return path.map(Path::of);
  }

  /**
   * The adapter that a configuration names, with what its directory says in the place of keys that
   * the configuration leaves at their defaults. Others stay as they are.
   */
  public static Adapter described(Adapter adapter) {
    Optional<Path> path = of(adapter);
    if (path.isEmpty()) {
      return adapter;
    }
    PeftConfig config = config(path.get());
    if (config.dora() != (adapter instanceof Dora)) {
      throw new PlanException(
          "adapter.type: expected "
              + (config.dora() ? "dora" : "lora")
              + " after "
              + path.get().resolve(PeftConfig.FILE)
              + ", found "
              + (config.dora() ? "lora" : "dora"));
    }
    return asTold(adapter, config.over(lora(adapter)));
  }

  /**
   * The adapter with the hash of its directory filled in; others stay as they are. Reads every
   * byte.
   *
   * @throws CheckpointException if the directory is not the one of the configuration
   */
  public static Adapter pinned(Adapter adapter) {
    Optional<Path> path = of(adapter);
    if (path.isEmpty()) {
      return adapter;
    }
    Lora told = lora(adapter);
    String found;
    try {
      found = FileHash.of(InputFolder.local(path.get()), List.of(PeftConfig.FILE, WEIGHTS));
    } catch (IOException unreadable) {
      throw new CheckpointException(unreadable.getMessage(), unreadable);
    }
    String expected = told.sha256().orElse(found);
    if (!expected.equals(found)) {
      throw new CheckpointException(
          path.get()
              + ": expected the adapter of adapter.sha256 "
              + expected
              + ", found "
              + found
              + ": the directory changed since this configuration was resolved");
    }
    return asTold(adapter, told.holding(found));
  }

  private static Lora lora(Adapter adapter) {
    return adapter instanceof Dora dora ? dora.lora() : (Lora) adapter;
  }

  private static Adapter asTold(Adapter told, Lora factors) {
    return told instanceof Dora ? Dora.of(factors) : factors;
  }

  /**
   * Checks that the directory holds what a model's adapter trains, tensor for tensor.
   *
   * @throws CheckpointException with the first tensor that is missing, left over or of another
   *     shape
   */
  public void check(ModelFamily model, Projection projection) {
    Set<String> left = new TreeSet<>(weights.header().tensors().keySet());
    for (Param param : trained(model, projection)) {
      TensorEntry entry = weights.header().tensors().get(PREFIX + param.name());
      if (entry == null) {
        throw new CheckpointException(
            folder.resolve(WEIGHTS)
                + ": expected the adapter of this model, found no "
                + PREFIX
                + param.name());
      }
      List<Long> dims = param.shape().dims().stream().map(Integer::longValue).toList();
      if (!entry.dims().equals(dims)) {
        throw new CheckpointException(
            folder.resolve(WEIGHTS)
                + ": tensor "
                + entry.name()
                + ": expected shape "
                + dims
                + ", found "
                + entry.dims());
      }
      left.remove(entry.name());
    }
    if (!left.isEmpty()) {
      throw new CheckpointException(
          folder.resolve(WEIGHTS)
              + ": expected the adapter of this model alone, found also "
              + String.join(", ", left.stream().limit(20).toList()));
    }
  }

  static List<Param> trained(ModelFamily model, Projection projection) {
    GraphBuilder b = new GraphBuilder();
    model.logits(b, ModelInputs.declare(b, 1, 1, false), projection);
    return b.params().stream().filter(param -> param.demand() instanceof Whole).toList();
  }

  /** These values where the directory has them, else the others. */
  public FirstValues over(FirstValues others) {
    return (param, from, target) -> {
      String name = PREFIX + param.name();
      if (!weights.header().tensors().containsKey(name)) {
        others.fill(param, from, target);
        return;
      }
      weights.readFloats(name, from, target);
    };
  }

  @Override
  public void close() {
    weights.close();
  }
}
