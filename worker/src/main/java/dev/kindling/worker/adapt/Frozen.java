package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.util.List;
import java.util.Map;

/**
 * Everything stays as it is but the modules that are named: biases and norms, or the head alone.
 *
 * @param modulesToSave patterns of the modules that are trained whole, as {@link Modules} matches
 *     them
 */
public record Frozen(List<String> modulesToSave) implements Adapter {
  public Frozen {
    modulesToSave = List.copyOf(modulesToSave);
  }

  public static Map<String, Object> defaults() {
    return Map.of("modulesToSave", List.of());
  }

  @Override
  public Projection projection(ModelFamily model, long seed) {
    return FrozenWeights.of(Modules.of(model), modulesToSave, Base.PLAIN);
  }

  @Override
  public void check(ModelFamily model, Expectation errors) {
    errors.notEmpty("adapter.modules_to_save", modulesToSave, "a module that is trained");
    Modules.of(model).check("adapter.modules_to_save", modulesToSave, true, errors);
  }
}
