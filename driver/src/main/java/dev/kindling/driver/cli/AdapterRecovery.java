package dev.kindling.driver.cli;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.adapt.Base;
import dev.kindling.worker.adapt.Lora;
import dev.kindling.worker.adapt.Paca;
import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.PeftExport;
import dev.kindling.worker.peft.ValueTensors;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.prune.Kept;
import dev.kindling.worker.prune.Recovery;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The body of {@code export RUN --recover MODEL_DIR}. */
final class AdapterRecovery {
  private final CommandBodies.ExportRequest request;
  private final PrintWriter out;

  AdapterRecovery(CommandBodies.ExportRequest request, PrintWriter out) {
    this.request = request;
    this.out = out;
  }

  /**
   * @param small what was trained on the smaller model
   * @param beside files that the run keeps of the smaller model
   */
  void run(PeftExport.Source small, Optional<CompanionFiles> beside) {
    if (request.dtype().isPresent() && !request.merge()) {
      throw new PlanException(
          "--dtype: expected none for an adapter (it is written in fp32) or --merge, found "
              + request.dtype().get());
    }
    Optional<byte[]> text =
        beside.flatMap(files -> Optional.ofNullable(files.others().get(Kept.FILE)));
    if (text.isEmpty()) {
      throw new PlanException(
          "--recover: expected a run on a model of prune --structured, found no "
              + Kept.FILE
              + " in "
              + request.source());
    }
    Kept kept = Kept.of(text.get(), Kept.FILE);
    String larger = request.recover().orElseThrow();
    InputFolder folder = new InputFolder(StorageLocation.of(larger));
    ModelDirectory directory = ModelDirectory.open(folder);
    kept.requireOf(directory.family(), larger);
    if (request.merge()) {
      merge(small, kept, folder, directory);
    } else {
      PeftExport.recover(small, kept, larger, Path.of(request.target()));
    }
    out.println("wrote the adapter of " + request.source() + " for " + larger + " to " + target());
  }

  private String target() {
    return request.target();
  }

  private void merge(
      PeftExport.Source small, Kept kept, InputFolder folder, ModelDirectory directory) {
    ModelFamily model = directory.family();
    List<Param> params = small.params();
    Recovery recovery = new Recovery(kept);
    params.forEach(recovery::whole);
    FirstValues factors = recovery.values(params, small.form().values());
    try (PretrainedWeights weights = PretrainedWeights.open(directory)) {
      // The base of 4 bits was the smaller model: over this one, rounded, nothing was trained.
      Lora plain = factorsOf(small).over(Base.PLAIN);
      FirstValues merged = plain.projection(model, 0).merged(weights, factors);
      CompanionFiles files = CompanionFiles.of(folder, weights, true);
      try (ValueTensors tensors = new ValueTensors(model.parameters(), "", merged, () -> {})) {
        HuggingFaceExport.write(
            tensors,
            files.dtypes(request.dtype()),
            new HuggingFaceExport.Companions(files.config(request.dtype()), files.others()),
            HuggingFaceExport.SHARD_BYTES,
            Path.of(target()));
      }
    }
  }

  private static Lora factorsOf(PeftExport.Source small) {
    if (small.adapter() instanceof Lora lora) {
      return lora;
    }
    if (small.adapter() instanceof Paca paca) {
      return paca.lora();
    }
    throw new PlanException("--recover --merge: expected adapter lora or paca");
  }
}
