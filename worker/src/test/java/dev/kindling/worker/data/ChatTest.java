package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From lines of conversations to batches whose targets are the answers alone. */
class ChatTest {
  private static final long SEED = Long.getLong("seed", 21L);
  private static final Optional<String> CHATML = Optional.of("chatml");

  @TempDir Path folder;

  private Path lines(String... lines) throws IOException {
    return Files.writeString(folder.resolve("chat.jsonl"), String.join("\n", lines) + "\n");
  }

  private static String message(String role, String content) {
    return "{\"role\": \"" + role + "\", \"content\": \"" + content + "\"}";
  }

  private static String chat(String... messages) {
    return "{\"messages\": [" + String.join(", ", messages) + "]}";
  }

  private static String pair(String prompt, String completion) {
    return "{\"prompt\": \"" + prompt + "\", \"completion\": \"" + completion + "\"}";
  }

  private static Chat spec(Path file, Optional<String> template, TooLong tooLong, BadLines bad) {
    return new Chat(List.of(file.toString()), template, tooLong, bad, List.of(), 0);
  }

  private TokenShards prepare(Chat spec, int sequenceLength) {
    return Preparation.prepare(spec, new Bytes(), sequenceLength, folder.resolve("set"));
  }

  /** One text a sequence: tokens as they are, those that count as targets in [ ]. */
  private static List<String> shown(TokenShards shards, SplitName split) {
    List<String> shown = new ArrayList<>();
    int length = shards.manifest().sequenceLength() + 1;
    int[] tokens = new int[length];
    byte[] flags = new byte[length];
    try (SequenceReader reader = SequenceReader.open(shards, split)) {
      for (long k = 0; k < reader.sequences(); k++) {
        reader.read(k, tokens, flags);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
          boolean before = i > 0 && ExampleFlags.counts(flags[i - 1]);
          boolean now = ExampleFlags.counts(flags[i]);
          text.append(before && !now ? "]" : "").append(ExampleFlags.begins(flags[i]) ? "/" : "");
          text.append(!before && now ? "[" : "");
          text.append(tokens[i] == 0 ? '.' : (char) tokens[i]);
        }
        shown.add(text.append(ExampleFlags.counts(flags[length - 1]) ? "]" : "").toString());
      }
    }
    return shown;
  }

  @Test
  void answersAndTheirEndCountAndNothingElse() throws IOException {
    Path file =
        lines(
            chat(
                message("system", "Be kind"),
                message("user", "Hi"),
                message("assistant", "Hello"),
                message("user", "Bye"),
                message("assistant", "So long ")));
    TokenShards shards = prepare(spec(file, CHATML, TooLong.DROP, BadLines.FAIL), 180);
    String text = shown(shards, SplitName.TRAIN).get(0);
    assertThat(text)
        .startsWith(
            "/<|im_start|>system\nBe kind<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
                + "<|im_start|>assistant\n[Hello<|im_end|>]\n<|im_start|>user\nBye<|im_end|>\n"
                + "<|im_start|>assistant\n[So long <|im_end|>]/...");
    assertThat(shards.manifest().maskDocuments()).isTrue();
    assertThat(shards.part(SplitName.TRAIN).documents()).isEqualTo(1);
    shards.verify();
  }

  @Test
  void completionsEndWithTheSeparatorAndExamplesArePackedWhole() throws IOException {
    Path file = lines(pair("2+3=", "5"), pair("", "xyz"), pair("10-1=", "9"));
    TokenShards shards = prepare(spec(file, Optional.empty(), TooLong.DROP, BadLines.FAIL), 11);
    // 7 + 4 + 6 tokens into sequences of 11 inputs and one last target; the first token of an
    // example is never a target.
    assertThat(shown(shards, SplitName.TRAIN))
        .containsExactly("/x[yz.]/10-1=[9.]/.", "/2+3=[5.]/......");
  }

  @Test
  void batchesIgnoreAllButAnswersAndRestartPositions() throws IOException {
    Path file = lines(pair("2+3=", "5"), pair("ab", "cd"));
    TokenShards shards = prepare(spec(file, Optional.empty(), TooLong.DROP, BadLines.FAIL), 12);
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 1, 1), SEED, 0)) {
      Batch batch = reader.next();
      int[] targets = new int[12];
      int[] positions = new int[12];
      int[] segments = new int[12];
      for (int k = 0; k < 12; k++) {
        targets[k] = batch.target(k);
        positions[k] = batch.position(k);
        segments[k] = batch.segment(k);
      }
      int no = Batch.IGNORED;
      assertThat(targets).containsExactly(no, no, no, '5', 0, no, no, 'c', 'd', 0, no, no);
      assertThat(positions).containsExactly(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 0);
      assertThat(segments).containsExactly(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2);
    }
  }

  @Test
  void tooLongExamplesAreDroppedOrCutAndCounted() throws IOException {
    Path file = lines(pair("a", "b"), pair("12", "3456789"), pair("123456789", "0"));
    Chat drop = spec(file, Optional.empty(), TooLong.DROP, BadLines.FAIL);
    TokenShards dropped = prepare(drop, 4);
    assertThat(dropped.manifest().leftOut()).isEqualTo(new LeftOut(0, 2, 0));
    assertThat(shown(dropped, SplitName.TRAIN)).containsExactly("/a[b.]/..");
    assertThat(Files.readAllLines(dropped.folder().resolve(TokenShards.LEFT_OUT))).hasSize(2);
    Chat cut = spec(file, Optional.empty(), TooLong.CUT, BadLines.FAIL);
    TokenShards kept = Preparation.prepare(cut, new Bytes(), 4, folder.resolve("cut"));
    // The last has no answer among its first tokens: dropped all the same.
    assertThat(kept.manifest().leftOut()).isEqualTo(new LeftOut(0, 1, 1));
    assertThat(shown(kept, SplitName.TRAIN)).containsExactly("/12[345]", "/a[b.]/..");
  }

  @Test
  void shardsDependOnTheLinesAloneAndEachExampleIsThereOnce() throws IOException {
    Random random = new Random(SEED);
    List<String> lines = new ArrayList<>();
    for (int k = 0; k < 300; k++) {
      lines.add(pair("q" + k + "?".repeat(random.nextInt(9)), "a" + "!".repeat(random.nextInt(9))));
    }
    Path file = lines(lines.toArray(String[]::new));
    Chat spec =
        new Chat(List.of(file.toString()), CHATML, TooLong.DROP, BadLines.FAIL, List.of(), 0.2);
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    TokenShards one = prepare(spec, 32);
    TokenShards many =
        Preparation.prepare(spec, new Bytes(), 32, f -> folder.resolve("many"), 64, pool);
    assertThat(many.part(SplitName.TRAIN).shards()).hasSizeGreaterThan(3);
    for (SplitName split : SplitName.values()) {
      assertThat(shown(many, split)).isEqualTo(shown(one, split));
    }
    String all = shown(one, SplitName.TRAIN) + " " + shown(one, SplitName.VALIDATION);
    for (int k = 0; k < 300; k++) {
      assertThat(all.split("/q" + k + "(?![0-9])", -1)).as("seed %d: q%d", SEED, k).hasSize(2);
    }
    assertThat(one.part(SplitName.VALIDATION).documents()).isBetween(30L, 90L);
  }

  @Test
  void linesThatAreNoExampleAreNamedOrSkipped() throws IOException {
    expectFault("{\"messages\": []}", "chat.jsonl:2: byte 40: messages: expected a list");
    expectFault(chat(message("user", "x")), "expected one of the assistant, found none");
    expectFault(chat(message("robot", "x")), "message 1: role: expected system, user or assistant");
    expectFault(chat("{\"role\": \"assistant\"}"), "content: expected a string, found none");
    expectFault("{\"prompt\": \"x\"}", "found members [prompt]");
    expectFault(pair("x", ""), "completion: expected text, found an empty one");
    expectFault("[]", "expected an object, found arr");
    expectFault(pair("x", "\\u0000"), "NUL");
    Path file = lines(pair("aa", "bb"), "[]", pair("cc", "dd"), pair("", ""));
    TokenShards shards = prepare(spec(file, Optional.empty(), TooLong.DROP, BadLines.SKIP), 16);
    assertThat(shards.manifest().leftOut()).isEqualTo(new LeftOut(2, 0, 0));
    assertThat(shown(shards, SplitName.TRAIN).get(0)).startsWith("/aa[bb.]/cc[dd.]/");
  }

  private void expectFault(String line, String message) throws IOException {
    Path file = lines(pair("aaaa", "bbb"), line);
    Chat spec = spec(file, CHATML, TooLong.DROP, BadLines.FAIL);
    assertThatThrownBy(() -> Preparation.prepare(spec, new Bytes(), 16, folder.resolve("bad")))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aTemplateThatRefusesIsABadLineAndOneThatIsMissingSaysSo() throws IOException {
    Path template =
        Files.writeString(
            folder.resolve("strict.jinja"),
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
                + "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}");
    Path file = lines(chat(message("system", "s"), message("assistant", "a")));
    Optional<String> strict = Optional.of(template.toString());
    assertThatThrownBy(() -> prepare(spec(file, strict, TooLong.DROP, BadLines.FAIL), 16))
        .hasMessageContaining("chat.jsonl:1: ")
        .hasMessageContaining("strict.jinja: no system");
    assertThatThrownBy(() -> prepare(spec(file, Optional.empty(), TooLong.DROP, BadLines.FAIL), 16))
        .hasMessageContaining("chat.jsonl:1: ")
        .hasMessageContaining("set data.template");
    Files.writeString(template, "{% block %}");
    assertThatThrownBy(() -> prepare(spec(file, strict, TooLong.DROP, BadLines.SKIP), 16))
        .hasMessageContaining("strict.jinja: template line 1: expected one of if, for");
    Optional<String> absent = Optional.of(folder.resolve("absent").toString());
    assertThatThrownBy(() -> prepare(spec(file, absent, TooLong.DROP, BadLines.FAIL), 16))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("expected a chat template (data.template)");
  }

  @Test
  void turnsThatLaterTurnsChangeAreRefusedUnlessTheTemplateMarksAnswers() {
    String forgetful =
        "{% for m in messages %}{{ m.role[0] }}:"
            + "{{ m.content if loop.last or m.role == 'user' else '-' }};{% endfor %}";
    List<ChatRenderer.Message> messages =
        List.of(
            new ChatRenderer.Message("user", "u"),
            new ChatRenderer.Message("assistant", "long"),
            new ChatRenderer.Message("user", "v"),
            new ChatRenderer.Message("assistant", "w"));
    ChatTemplate template = new ChatTemplate(forgetful, "t.jinja", new TreeMap<>());
    assertThatThrownBy(() -> new ChatRenderer(template).transcript(messages))
        .isInstanceOf(BadLine.class)
        .hasMessageContaining("renders message 2 in another way when more follow");
    String marked =
        forgetful
            .replace("{{ m.content", "{% generation %}{{ m.content")
            .replace("'-' }}", "'-' }}{% endgeneration %}");
    Transcript transcript =
        new ChatRenderer(new ChatTemplate(marked, "t.jinja", new TreeMap<>())).transcript(messages);
    assertThat(transcript.text()).isEqualTo("u:u;a:-;u:v;a:w;");
    assertThat(transcript.answers()).hasSize(4);
  }

  @Test
  void earlierTurnsOfReasoningTemplatesAreTheirWordsAndTheLastHasItsReasoning() throws IOException {
    Path fixture = Path.of("src/test/resources/dev/kindling/worker/jinja/templates.json");
    String thinking =
        JsonReader.read(Files.readAllBytes(fixture), fixture.toString())
            .asObject("fixture")
            .object("templates")
            .text("thinking");
    List<ChatRenderer.Message> messages =
        List.of(
            new ChatRenderer.Message("user", "two?"),
            new ChatRenderer.Message("assistant", "2"),
            new ChatRenderer.Message("user", "three?"),
            new ChatRenderer.Message("assistant", "<think>\nhm\n</think>\n\n3"));
    ChatTemplate template = new ChatTemplate(thinking, "t.jinja", new TreeMap<>());
    Transcript transcript = new ChatRenderer(template).transcript(messages);
    assertThat(transcript.answers())
        .extracting(span -> transcript.text().substring(span.start(), span.end()))
        .containsExactly("2<|im_end|>", "<think>\nhm\n</think>\n\n3<|im_end|>");
    // Reasoning that the template takes out of an earlier turn was never shown to the model there.
    List<ChatRenderer.Message> reasoned = new ArrayList<>(messages);
    reasoned.set(1, messages.get(3));
    assertThatThrownBy(() -> new ChatRenderer(template).transcript(reasoned))
        .isInstanceOf(BadLine.class)
        .hasMessageContaining("renders message 2 in another way when more follow");
  }

  @Test
  void theTemplateLiesBesideTheTokenizer() throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    Huggingface tokenizer = new Huggingface(model.toString(), Optional.empty());
    assertThat(ChatTemplate.of(Optional.empty(), tokenizer)).isEmpty();
    Files.writeString(
        model.resolve("tokenizer_config.json"),
        "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}, \"chat_template\":"
            + " \"A\"}");
    ChatTemplate configured = ChatTemplate.of(Optional.empty(), tokenizer).orElseThrow();
    assertThat(configured.source()).isEqualTo("A");
    assertThat(configured.specialTokens())
        .containsEntry("bos_token", "<s>")
        .containsEntry("eos_token", "</s>");
    Files.writeString(
        model.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"tool\", \"template\": \"T\"},"
            + " {\"name\": \"default\", \"template\": \"D\"}]}");
    assertThat(ChatTemplate.of(Optional.empty(), tokenizer).orElseThrow().source()).isEqualTo("D");
    Files.writeString(model.resolve("chat_template.jinja"), "B");
    assertThat(ChatTemplate.of(Optional.empty(), tokenizer).orElseThrow().source()).isEqualTo("B");
    assertThat(ChatTemplate.of(CHATML, tokenizer).orElseThrow().source()).contains("im_start");
  }

  @Test
  void placesOfBytesAreThoseOfTheirCharacters() {
    String text = "a\u00e9\u6f22\ud83d\ude00b";
    Tokenizer.Tokens tokens = new ByteTokenizer().tokens(text);
    assertThat(tokens.starts()).containsExactly(0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 5);
  }
}
