package dev.kindling.driver.cli;

import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.kernels.graph.Param;
import dev.kindling.worker.checkpoint.HuggingFaceExport;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.evaluate.CalibrationTokens;
import dev.kindling.worker.evaluate.InputNorms;
import dev.kindling.worker.generate.LoadedModel;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import dev.kindling.worker.peft.ValueTensors;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.pretrained.ModelDirectory;
import dev.kindling.worker.pretrained.PretrainedWeights;
import dev.kindling.worker.prune.Criterion;
import dev.kindling.worker.prune.Kept;
import dev.kindling.worker.prune.MaskPattern;
import dev.kindling.worker.prune.Pruning;
import dev.kindling.worker.prune.Shrinking;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The body of {@code prune}: one matrix is in memory at a time, the directory appears whole. */
final class ModelPruning {
  private static final double DEFAULT_SPARSITY = 0.5;

  private final PruneRequest request;
  private final PrintWriter out;
  private final PrintWriter err;

  ModelPruning(PruneRequest request, PrintWriter out, PrintWriter err) {
    this.request = request;
    this.out = out;
    this.err = err;
  }

  void run() {
    InputFolder folder = new InputFolder(StorageLocation.of(request.source()));
    ModelDirectory directory = ModelDirectory.open(folder);
    ModelFamily model = directory.family();
    try (PretrainedWeights weights = PretrainedWeights.open(directory)) {
      CompanionFiles files = CompanionFiles.of(folder, weights, true);
      if (request.structured()) {
        shrunk(directory, weights, files);
      } else {
        masked(model, weights, files);
      }
    }
  }

  private void masked(ModelFamily model, PretrainedWeights weights, CompanionFiles files) {
    Optional<MaskPattern> pattern = request.pattern().map(MaskPattern::of);
    double sparsity =
        request.sparsity().orElse(pattern.map(MaskPattern::sparsity).orElse(DEFAULT_SPARSITY));
    // Words that do not fit must not wait for calibration.
    boolean wanda = request.method() == Criterion.WANDA;
    Criterion cheap = wanda ? Criterion.MAGNITUDE : request.method();
    Pruning plain = new Pruning(cheap, sparsity, pattern, Map.of(), request.seed());
    Map<String, Weight> maps = plain.maps(model);
    Pruning pruning =
        wanda ? new Pruning(Criterion.WANDA, sparsity, pattern, norms(), request.seed()) : plain;
    long[] counts = new long[2];
    FirstValues values = pruning.of(model, weights);
    FirstValues counted =
        (param, from, target) -> {
          values.fill(param, from, target);
          if (maps.containsKey(param.name())) {
            count(target.toFloats(), counts);
          }
        };
    write(model.parameters(), counted, files, files.config(Optional.empty()), files.others());
    out.printf(
        Locale.ROOT,
        "wrote %s: %,d of %,d weights of %d linear maps are zero (%.4f)%n",
        request.target(),
        counts[0],
        counts[1],
        maps.size(),
        (double) counts[0] / counts[1]);
  }

  private void shrunk(ModelDirectory directory, PretrainedWeights weights, CompanionFiles files) {
    ModelFamily model = directory.family();
    double share = request.sparsity().orElse(DEFAULT_SPARSITY);
    Shrinking shrinking = new Shrinking(request.method(), share, request.seed());
    Kept kept = shrinking.choose(model, weights, request.source());
    Json.Obj config = Shrinking.config(directory.config(), kept);
    ModelFamily smaller = ModelFamily.ofHuggingFace(config);
    Map<String, byte[]> others = new TreeMap<>(files.others());
    others.put(Kept.FILE, kept.text().getBytes(StandardCharsets.UTF_8));
    FirstValues values = Shrinking.values(model, weights, kept);
    write(smaller.parameters(), values, files, config.write() + "\n", others);
    out.printf(
        Locale.ROOT,
        "wrote %s: %d of %d heads, %d of %d key-value heads, %d of %d channels in each of"
            + " %d layers; %,d of %,d parameters (%.4f)%n",
        request.target(),
        kept.smaller().heads(),
        kept.sizes().heads(),
        kept.smaller().kvHeads(),
        kept.sizes().kvHeads(),
        kept.smaller().mlpWidth(),
        kept.sizes().mlpWidth(),
        model.layers(),
        smaller.parameterCount(),
        model.parameterCount(),
        (double) smaller.parameterCount() / model.parameterCount());
  }

  private static void count(float[] values, long[] counts) {
    for (float value : values) {
      counts[0] += value == 0 ? 1 : 0;
    }
    counts[1] += values.length;
  }

  private void write(
      List<Param> params,
      FirstValues values,
      CompanionFiles files,
      String config,
      Map<String, byte[]> others) {
    try (ValueTensors tensors = new ValueTensors(params, "", values, () -> {})) {
      HuggingFaceExport.write(
          tensors,
          files.dtypes(Optional.empty()),
          new HuggingFaceExport.Companions(config, others),
          HuggingFaceExport.SHARD_BYTES,
          request.target());
    }
  }

  /** L2 norms of the inputs of all maps over the calibration texts. */
  private Map<String, double[]> norms() {
    PruneRequest.Calibration texts = request.calibration();
    Consumer<String> notices = line -> err.println("prune: " + line);
    Path data = texts.texts().orElseThrow();
    try (PlacedModel<LoadedModel<InputNorms>> placed =
        PlacedModel.open(
            ModelPlace.here(texts.device()),
            notices,
            backend ->
                LoadedModel.open(
                    StorageLocation.of(request.source()),
                    texts.context(),
                    notices,
                    (family, context) -> new InputNorms(family, context, backend)))) {
      LoadedModel<InputNorms> model = placed.model();
      InputNorms norms = model.programs();
      int window = norms.window();
      int most = Math.toIntExact((long) window * texts.samples());
      int[] tokens = CalibrationTokens.of(data, texts.field(), model.tokenizer(), most);
      if (tokens.length < window) {
        throw new DataException(
            data + ": expected a window of " + window + " tokens, found " + tokens.length);
      }
      for (int at = 0; at + window <= tokens.length; at += window) {
        norms.add(tokens, at);
      }
      notices.accept(tokens.length / window + " windows of " + window + " tokens");
      return norms.norms();
    }
  }
}
