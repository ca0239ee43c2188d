package dev.kindling.worker.peft;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.adapt.Dora;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.LoraForm;
import dev.kindling.worker.adapt.Paca;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Writes an adapter as a directory that peft loads; columns of PaCA as the LoRA that they are. */
public final class PeftExport {
  private static final HuggingFaceExport.Names NAMES =
      new HuggingFaceExport.Names(PeftConfig.FILE, "adapter_model");

  private PeftExport() {}

  /**
   * @param projection of the adapter
   * @param trained values of what the projection trains
   * @param base name or path of the base model
   * @param target a folder that is absent or empty
   * @throws PlanException for an adapter without factors: its model can be exported merged
   */
  public static void write(
      Adapter adapter,
      Projection projection,
      ModelFamily model,
      FirstValues trained,
      String base,
      Path target) {
    LoraForm form =
        LoraForm.of(projection, trained)
            .orElseThrow(
                () ->
                    new PlanException(
                        "adapter.type: expected lora, dora or paca for a PEFT directory, found "
                            + word(adapter)
                            + "; export it with --merge"));
    String config = config(adapter, form, model, base).text();
    try (ExportedTensors tensors =
        new ValueTensors(
            PeftDirectory.trained(model, form.projection()),
            PeftDirectory.PREFIX,
            form.values(),
            () -> {})) {
      HuggingFaceExport.write(
          tensors,
          Map.of(),
          new HuggingFaceExport.Companions(config, Map.of()),
          NAMES,
          Long.MAX_VALUE,
          target);
    }
  }

  /** As configurations write it. */
  private static String word(Adapter adapter) {
    String name = adapter.getClass().getSimpleName();
    return name.replaceAll("(?<=[a-z])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
  }

  private static PeftConfig config(Adapter adapter, LoraForm form, ModelFamily model, String base) {
    Lora told = told(adapter);
    Set<String> modules = new TreeSet<>();
    form.saved().forEach(name -> modules.add(name.replaceFirst("\\.(weight|bias)$", "")));
    return new PeftConfig(
        told.rank(),
        told.alpha(),
        told.rslora(),
        adapter instanceof Dora,
        told.dropout(),
        targets(form, model),
        List.of(),
        told.rankPattern(),
        told.alphaPattern(),
        new ArrayList<>(modules),
        form.transposed(),
        base);
  }

  private static Lora told(Adapter adapter) {
    if (adapter instanceof Dora dora) {
      return dora.lora();
    }
    return adapter instanceof Paca paca ? paca.lora() : (Lora) adapter;
  }

  /** Last parts of the paths where they choose the same maps, as peft writes it; else paths. */
  private static List<String> targets(LoraForm form, ModelFamily model) {
    Set<String> last = new TreeSet<>();
    form.targets().forEach(path -> last.add(path.substring(path.lastIndexOf('.') + 1)));
    long chosen =
        model.parameters().stream()
            .map(param -> param.name().replaceFirst("\\.weight$", ""))
            .filter(path -> last.contains(path.substring(path.lastIndexOf('.') + 1)))
            .count();
    return chosen == form.targets().size() ? new ArrayList<>(last) : form.targets();
  }
}
