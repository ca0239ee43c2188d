package dev.kindling.driver.cli;

import dev.kindling.driver.launch.RunMirror;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.data.Huggingface;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.peft.AdaptedWeights;
import dev.kindling.worker.peft.PeftExport;
import dev.kindling.worker.peft.ValueTensors;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.prune.Kept;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Writes model directories: of the newest checkpoint of a run, or of another model directory. */
final class ModelExport {
  private static final int TOKENIZER_BYTES_MAX = 256 << 20;

  private final CommandBodies.ExportRequest request;
  private final PrintWriter out;

  ModelExport(CommandBodies.ExportRequest request, PrintWriter out) {
    this.request = request;
    this.out = out;
  }

  void run() throws IOException {
    StorageLocation source = StorageLocation.of(request.source());
    if (source.open(Map.of()).exists(RunMirror.CONFIG)) {
      ofRun(source);
      return;
    }
    InputFolder folder = new InputFolder(source);
    if (!ModelDirectory.isOne(folder)) {
      throw new PlanException(
          request.source()
              + " holds no run (no "
              + RunMirror.CONFIG
              + ") and no model (no config.json)");
    }
    ofDirectory(folder);
  }

  private void ofDirectory(InputFolder folder) {
    if (request.recover().isPresent()) {
      throw new PlanException("--recover: expected the folder of a run, found a model directory");
    }
    try (PretrainedWeights weights = PretrainedWeights.open(ModelDirectory.open(folder))) {
      CompanionFiles files = CompanionFiles.of(folder, weights, true);
      write(weights, files, files.others());
    }
    out.println("wrote the weights of " + request.source() + " to " + request.target());
  }

  private void write(ExportedTensors weights, CompanionFiles files, Map<String, byte[]> others) {
    HuggingFaceExport.write(
        weights,
        files.dtypes(request.dtype()),
        new HuggingFaceExport.Companions(files.config(request.dtype()), others),
        HuggingFaceExport.SHARD_BYTES,
        Path.of(request.target()));
  }

  private void ofRun(StorageLocation run) throws IOException {
    CheckpointStore store =
        CheckpointStore.open(run.resolve(WorkerTask.CHECKPOINTS).open(Map.of()), 2);
    List<String> refusals = new ArrayList<>();
    Generation newest =
        store
            .newestValid(refusals)
            .orElseThrow(() -> new CheckpointException(run + " holds no checkpoint"));
    refusals.forEach(line -> out.println("not used: " + line));
    TrainPlan plan = PlanReader.fromYaml(newest.facts().config());
    boolean adapted = AdaptedWeights.wanted(plan);
    if (request.recover().isPresent()) {
      new AdapterRecovery(request, out).run(adapter(plan, store, newest), CompanionFiles.kept(run));
      return;
    }
    if (adapted && !request.merge()) {
      if (request.dtype().isPresent()) {
        throw new PlanException(
            "--dtype: expected none for the adapter of a run (it is written in fp32) or --merge,"
                + " found "
                + request.dtype().get());
      }
      ofAdapter(plan, adapter(plan, store, newest), CompanionFiles.kept(run));
      out.println("wrote the adapter of step " + newest.step() + " of " + run + " to " + target());
      return;
    }
    if (request.merge() && !adapted) {
      out.println("the run has no adapter; --merge changes nothing");
    }
    boolean pretrained = plan.model() instanceof dev.kindling.worker.model.Huggingface;
    Optional<CompanionFiles> kept = pretrained ? CompanionFiles.kept(run) : Optional.empty();
    try (ExportedTensors weights =
        adapted ? merged(plan, store, newest) : HuggingFaceExport.of(store, newest)) {
      CompanionFiles files = kept.isPresent() ? kept.get() : described(plan, weights);
      Map<String, byte[]> others = new LinkedHashMap<>(files.others());
      if (!others.containsKey("tokenizer.json")) {
        others.putAll(tokenizer(plan.tokenizer()));
      }
      write(weights, files, others);
    }
    out.println("wrote step " + newest.step() + " of " + run + " to " + request.target());
  }

  private String target() {
    return request.target();
  }

  private static PeftExport.Source adapter(
      TrainPlan plan, CheckpointStore store, Generation newest) {
    ModelFamily model = ExplainPage.graphs(plan).model();
    return new PeftExport.Source(
        plan.adapter(),
        plan.adapter().projection(model, plan.seed()),
        model,
        AdaptedWeights.trained(store, newest));
  }

  /** What was kept of a larger model is said beside an adapter too. */
  private void ofAdapter(
      TrainPlan plan, PeftExport.Source adapter, Optional<CompanionFiles> beside) {
    boolean pretrained = plan.model() instanceof dev.kindling.worker.model.Huggingface;
    Map<String, byte[]> files = new TreeMap<>(beside.map(CompanionFiles::others).orElse(Map.of()));
    files.keySet().retainAll(Set.of(Kept.FILE));
    PeftExport.write(
        adapter,
        pretrained ? ((dev.kindling.worker.model.Huggingface) plan.model()).path() : "",
        files,
        Path.of(request.target()));
  }

  private static ExportedTensors merged(TrainPlan plan, CheckpointStore store, Generation newest) {
    ModelFamily model = ExplainPage.graphs(plan).model();
    AdaptedWeights weights = AdaptedWeights.open(plan, model, store, newest);
    return new ValueTensors(model.parameters(), "", weights.values(), weights::close);
  }

  /** What stands beside the weights of a run that began at random ones, which are in fp32. */
  private static CompanionFiles described(TrainPlan plan, ExportedTensors weights) {
    Map<String, SafetensorsType> dtypes = new TreeMap<>();
    weights.tensors().forEach(tensor -> dtypes.put(tensor.name(), tensor.dtype()));
    String config = ExplainPage.graphs(plan).model().huggingFaceConfig();
    return CompanionFiles.described(config, dtypes);
  }

  /** The tokenizer's own file travels with the model; bytes need none. */
  private static Map<String, byte[]> tokenizer(TokenizerSpec spec) throws IOException {
    if (!(spec instanceof Huggingface tokenizer)) {
      return Map.of();
    }
    StorageLocation file = tokenizer.file();
    byte[] text = new InputFolder(file.parent()).read(file.name(), TOKENIZER_BYTES_MAX);
    return Map.of("tokenizer.json", text);
  }
}
