package dev.kindling.worker.data;

import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A chat template before it is parsed, and the special tokens it may write by name.
 *
 * @param source Jinja; see {@link dev.kindling.worker.jinja.Template} for what part of it
 * @param origin where it came from, for errors
 * @param specialTokens members of {@code tokenizer_config.json} that end in {@code _token}
 */
record ChatTemplate(String source, String origin, TreeMap<String, String> specialTokens)
    implements Serializable {
  /** Templates that a configuration may name. */
  private static final Map<String, String> NAMED =
      Map.of(
          "chatml",
          """
          {%- for message in messages %}
          {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
          {%- endfor %}
          {%- if add_generation_prompt %}
          {{- '<|im_start|>assistant\\n' }}
          {%- endif %}
          """);

  private static final String CONFIG = "tokenizer_config.json";
  private static final String FILE = "chat_template.jinja";
  private static final int FILE_BYTES_MAX = 64 << 20;

  static boolean named(String name) {
    return NAMED.containsKey(name);
  }

  /**
   * The template of a configuration, or of the folder that holds its tokenizer; empty where there
   * is none.
   *
   * @throws DataException when a file is named and missing, or no JSON
   */
  static Optional<ChatTemplate> of(Optional<String> name, TokenizerSpec tokenizer) {
    Optional<InputFolder> folder = folder(tokenizer);
    Optional<Json.Obj> config = folder.flatMap(ChatTemplate::config);
    TreeMap<String, String> tokens = new TreeMap<>();
    config.ifPresent(found -> found.members().forEach((key, value) -> token(tokens, key, value)));
    if (name.isPresent()) {
      String known = NAMED.get(name.get());
      String source = known != null ? known : read(Path.of(name.get()));
      return Optional.of(new ChatTemplate(source, name.get(), tokens));
    }
    Optional<String> file = folder.flatMap(at -> read(at, FILE));
    if (file.isPresent()) {
      return Optional.of(new ChatTemplate(file.get(), folder.orElseThrow().shown(FILE), tokens));
    }
    return config
        .flatMap(ChatTemplate::inConfig)
        .map(source -> new ChatTemplate(source, folder.orElseThrow().shown(CONFIG), tokens));
  }

  private static Optional<InputFolder> folder(TokenizerSpec tokenizer) {
    return tokenizer instanceof Huggingface huggingface
        ? Optional.of(new InputFolder(huggingface.file().absolute().parent()))
        : Optional.empty();
  }

  private static Optional<String> read(InputFolder folder, String name) {
    try {
      return folder.exists(name)
          ? Optional.of(new String(folder.read(name, FILE_BYTES_MAX), StandardCharsets.UTF_8))
          : Optional.empty();
    } catch (IOException e) {
      throw new DataException(folder.shown(name) + ": cannot be read: " + e, e);
    }
  }

  private static Optional<Json.Obj> config(InputFolder folder) {
    Optional<String> text = read(folder, CONFIG);
    if (text.isEmpty()) {
      return Optional.empty();
    }
    byte[] json = text.get().getBytes(StandardCharsets.UTF_8);
    try {
      return Optional.of(
          JsonReader.read(json, CONFIG, JsonReader.Limits.FOREIGN).asObject("tokenizer config"));
    } catch (JsonException e) {
      throw new DataException(folder.shown(CONFIG) + ": byte " + e.offset() + ": " + e.reason(), e);
    }
  }

  /** A text, or a list of {name, template} of which "default" is meant. */
  private static Optional<String> inConfig(Json.Obj config) {
    Json found = config.find("chat_template").orElse(null);
    if (found instanceof Json.Arr several) {
      return several.items().stream()
          .filter(Json.Obj.class::isInstance)
          .map(Json.Obj.class::cast)
          .filter(one -> one.find("name").map(Json::write).orElse("").equals("\"default\""))
          .map(one -> one.text("template"))
          .findFirst();
    }
    return found instanceof Json.Text text ? Optional.of(text.value()) : Optional.empty();
  }

  private static void token(TreeMap<String, String> tokens, String key, Json value) {
    Json text = value instanceof Json.Obj object ? object.find("content").orElse(value) : value;
    if (key.endsWith("_token") && text instanceof Json.Text content) {
      tokens.put(key, content.value());
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new DataException(
          file + ": expected a chat template (data.template), cannot be read: " + e, e);
    }
  }
}
