package dev.kindling.worker.generate;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.worker.data.Tokenizer;
import dev.kindling.worker.store.StorageLocation;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Goes on with texts. What it writes is printable: control characters other than line breaks and
 * tabs, and bytes that are no UTF-8, appear as U+FFFD. For one thread.
 */
public final class TextGenerator implements AutoCloseable {
  private final LoadedModel<Generator> model;

  TextGenerator(LoadedModel<Generator> model) {
    this.model = model;
  }

  /**
   * Loads a run folder (its newest valid checkpoint) or a local Hugging Face model directory.
   *
   * @param context tokens that the model sees at once; default as {@link LoadedModel#open}
   * @param sequences prompts that are worked on together
   * @param backend stays open as long as this generator
   * @param notices hears, a line each, what a person should know
   * @throws dev.kindling.worker.checkpoint.CheckpointException if there are no weights, or they are
   *     not the model's
   */
  public static TextGenerator open(
      StorageLocation folder,
      Optional<Integer> context,
      int sequences,
      Backend backend,
      Consumer<String> notices) {
    return new TextGenerator(
        LoadedModel.open(
            folder,
            context,
            notices,
            (family, tokens) -> new Generator(family, tokens, sequences, backend)));
  }

  /** Step of the run, 0 for a model directory. */
  public long step() {
    return model.step();
  }

  /** Scalars of the model. */
  public long parameters() {
    return model.parameters();
  }

  /**
   * Continues a text.
   *
   * @param prompt may be empty: the text then starts after a document separator
   * @param tokens number of tokens to write; fewer if the model ends the document
   * @param pieces hears the continuation, without the prompt, in whole characters as they come
   */
  public void generate(String prompt, int tokens, Sampling sampling, Consumer<String> pieces) {
    TextStream stream = new TextStream(model.tokenizer(), pieces);
    model
        .programs()
        .sample(request(List.of(prompt), tokens, sampling), (index, id) -> stream.token(id));
    stream.end();
  }

  /** As above, all at once. */
  public String generate(String prompt, int tokens, Sampling sampling) {
    return generate(List.of(prompt), tokens, sampling).get(0);
  }

  /**
   * Continues many texts, some at a time.
   *
   * @return one continuation for each prompt, in their order
   */
  public List<String> generate(List<String> prompts, int tokens, Sampling sampling) {
    List<String> texts = new ArrayList<>();
    Generator.Sink nobody = (prompt, id) -> {};
    for (int[] added : model.programs().sample(request(prompts, tokens, sampling), nobody)) {
      texts.add(TextStream.printable(model.tokenizer().decode(added)));
    }
    return texts;
  }

  private SampleRequest request(List<String> prompts, int tokens, Sampling sampling) {
    Tokenizer tokenizer = model.tokenizer();
    List<int[]> ids = new ArrayList<>();
    for (String prompt : prompts) {
      int[] encoded = tokenizer.encode(prompt.getBytes(StandardCharsets.UTF_8));
      ids.add(encoded.length == 0 ? new int[] {tokenizer.separator()} : encoded);
    }
    return new SampleRequest(ids, tokens, sampling, tokenizer.vocabularySize(), model.ends());
  }

  @Override
  public void close() {
    model.close();
  }
}
