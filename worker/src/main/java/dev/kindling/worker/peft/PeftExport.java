package dev.kindling.worker.peft;

import dev.kindling.kernels.graph.Param;
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
import dev.kindling.worker.prune.Kept;
import dev.kindling.worker.prune.Recovery;
import java.nio.charset.StandardCharsets;
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
   * What was trained.
   *
   * @param projection of the adapter
   * @param trained values of what the projection trains
   */
  public record Source(
      Adapter adapter, Projection projection, ModelFamily model, FirstValues trained) {

    /**
     * The adapter as factors.
     *
     * @throws PlanException for an adapter without factors: its model can be exported merged
     */
    public LoraForm form() {
      boolean known = adapter instanceof Lora || adapter instanceof Dora || adapter instanceof Paca;
      return LoraForm.of(projection, trained)
          .filter(form -> known)
          .orElseThrow(
              () ->
                  new PlanException(
                      "adapter.type: expected lora, dora or paca for a PEFT directory, found "
                          + word(adapter)
                          + "; export it with --merge"));
    }

    /** Parameters of the factors and of what is trained whole. */
    public List<Param> params() {
      return PeftDirectory.trained(model, form().projection());
    }
  }

  /** As below, without further files. */
  public static void write(
      Adapter adapter,
      Projection projection,
      ModelFamily model,
      FirstValues trained,
      String base,
      Path target) {
    write(new Source(adapter, projection, model, trained), base, Map.of(), target);
  }

  /**
   * @param base name or path of the base model
   * @param files further files by name
   * @param target a folder that is absent or empty
   * @throws PlanException for an adapter without factors
   */
  public static void write(Source source, String base, Map<String, byte[]> files, Path target) {
    LoraForm form = source.form();
    write(source.params(), form.values(), config(source, form, base), files, target);
  }

  /**
   * Writes an adapter that was trained on a model with fewer heads and channels as one of the model
   * that they were taken from.
   *
   * @param kept which heads and channels the adapter's model has
   * @param base name or path of the larger model
   * @param target a folder that is absent or empty
   * @throws PlanException for an adapter without factors, or one that trains smaller modules whole
   */
  public static void recover(Source source, Kept kept, String base, Path target) {
    LoraForm form = source.form();
    Recovery recovery = new Recovery(kept);
    List<Param> small = source.params();
    List<Param> whole = small.stream().map(recovery::whole).toList();
    FirstValues values = recovery.values(small, form.values());
    Map<String, byte[]> files = Map.of(Kept.FILE, kept.text().getBytes(StandardCharsets.UTF_8));
    write(whole, values, config(source, form, base), files, target);
  }

  private static void write(
      List<Param> params,
      FirstValues values,
      PeftConfig config,
      Map<String, byte[]> files,
      Path target) {
    try (ExportedTensors tensors =
        new ValueTensors(params, PeftDirectory.PREFIX, values, () -> {})) {
      HuggingFaceExport.write(
          tensors,
          Map.of(),
          new HuggingFaceExport.Companions(config.text(), files),
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

  private static PeftConfig config(Source source, LoraForm form, String base) {
    Adapter adapter = source.adapter();
    Lora told = told(adapter);
    Set<String> modules = new TreeSet<>();
    form.saved().forEach(name -> modules.add(name.replaceFirst("\\.(weight|bias)$", "")));
    return new PeftConfig(
        told.rank(),
        told.alpha(),
        told.rslora(),
        adapter instanceof Dora,
        told.dropout(),
        targets(form, source.model()),
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
