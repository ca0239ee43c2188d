package dev.kindling.driver.cli;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.driver.launch.Progress;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.worker.data.ExampleFlags;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.event.Sample;
import dev.kindling.worker.generate.Sampling;
import dev.kindling.worker.generate.TextGenerator;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.store.StorageLocation;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * What the model writes at the end of a run, after the first words of a validation text. A run that
 * cannot show one is no worse a run: the reason is one line.
 */
final class FinalSample {
  private static final int PROMPT_TOKENS = 40;
  private static final int TOKENS = 240;
  private static final int TOKENS_MIN = 24;

  /** On the CPU a token behind the end of the window is a forward pass over all of it. */
  private static final long PARAMETERS_OF_A_FULL_SAMPLE = 10_000_000;

  private static final Sampling SAMPLING = new Sampling(0.7, 0, 0.95, 1);

  private final StorageLocation runDir;
  private final Device device;
  private final Progress progress;
  private Optional<TokenShards> shards = Optional.empty();

  /**
   * @param device of the run; the driver of a cluster may have no GPU
   */
  FinalSample(StorageLocation runDir, Device device, Progress progress) {
    this.runDir = runDir;
    this.device = device;
    this.progress = progress;
  }

  /** Remembers the set that the run uses; returns its folder. */
  Path promptsFrom(TokenShards set) {
    shards = Optional.of(set);
    return set.folder();
  }

  void show() {
    DeviceChoice choice = device == Device.CUDA ? DeviceChoice.AUTO : DeviceChoice.CPU;
    try (PlacedModel<TextGenerator> placed =
        PlacedModel.open(ModelPlace.here(choice), line -> {}, this::load)) {
      TextGenerator model = placed.model();
      String prompt = shards.map(FinalSample::prompt).orElse("");
      int tokens = placed.device() == Device.CUDA ? TOKENS : tokens(model.parameters());
      String text = model.generate(prompt, tokens, SAMPLING);
      progress.emit(new Sample(0, model.step(), prompt, text));
    } catch (RuntimeException e) {
      progress.say("no sample of text: " + e.getMessage());
    }
  }

  private TextGenerator load(Backend backend) {
    return TextGenerator.open(runDir, Optional.empty(), 1, backend, line -> {});
  }

  private static int tokens(long parameters) {
    long fewer = TOKENS * PARAMETERS_OF_A_FULL_SAMPLE / Math.max(1, parameters);
    return (int) Math.max(TOKENS_MIN, Math.min(TOKENS, fewer));
  }

  /** The last line breaks of a prompt would hide where the model begins. */
  private static String prompt(TokenShards set) {
    SplitName split =
        set.part(SplitName.VALIDATION).sequences() > 0 ? SplitName.VALIDATION : SplitName.TRAIN;
    int[] tokens = new int[set.manifest().sequenceLength() + 1];
    try (SequenceReader reader = SequenceReader.open(set, split);
        Tokenizer tokenizer = set.tokenizer()) {
      if (set.manifest().examples()) {
        return question(reader, tokenizer, tokens);
      }
      reader.read(reader.sequences() / 2, tokens);
      // The text after the last separator, so that the prompt is of one document.
      int from = 0;
      for (int i = 0; i < tokens.length; i++) {
        from = tokens[i] == tokenizer.separator() && i + 1 < tokens.length / 2 ? i + 1 : from;
      }
      int to = Math.min(tokens.length, from + PROMPT_TOKENS);
      return tokenizer.decode(Arrays.copyOfRange(tokens, from, to)).stripTrailing();
    }
  }

  /** What stands before the first answer of a sequence; its line breaks are the template's. */
  private static String question(SequenceReader reader, Tokenizer tokenizer, int[] tokens) {
    byte[] flags = new byte[tokens.length];
    reader.read(reader.sequences() / 2, tokens, flags);
    int to = 1;
    while (to < tokens.length - 1 && !ExampleFlags.counts(flags[to])) {
      to++;
    }
    return tokenizer.decode(Arrays.copyOf(tokens, to));
  }
}
