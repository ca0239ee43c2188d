package dev.kindling.worker.data;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.kindling.worker.store.InputFolder;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.StorageLocation;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Any Hugging Face {@code tokenizer.json}, run by the Rust library that made it. */
final class HuggingfaceTokenizer implements Tokenizer {
  private static final List<String> USUAL_SEPARATORS =
      List.of("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "[SEP]");

  /** Written by the model after its answer, in the templates of ChatML, Llama 3, Gemma and Phi. */
  private static final List<String> ENDS_OF_TURNS =
      List.of("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>");

  /**
   * No escaped half of a character: in a decoder the library ends the process when it reads one.
   */
  private static final JsonReader.Limits LIMITS =
      new JsonReader.Limits(65, Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE);

  private static final int FILE_BYTES_MAX = 256 << 20;

  private final HuggingFaceTokenizer rust;
  private final int vocabularySize;
  private final int separator;
  private final Set<Integer> ends;
  private final String hash;
  private final byte[] json;

  private HuggingfaceTokenizer(
      HuggingFaceTokenizer rust,
      int vocabularySize,
      int separator,
      Set<Integer> ends,
      byte[] json) {
    this.rust = rust;
    this.ends = ends;
    this.vocabularySize = vocabularySize;
    this.separator = separator;
    this.json = json;
    this.hash = new Sha256().add("huggingface").add(json).add("separator " + separator).hex();
  }

  static HuggingfaceTokenizer open(Huggingface spec, Map<String, String> settings) {
    StorageLocation file = spec.file();
    byte[] json = read(file, settings);
    Map<String, Integer> vocabulary = vocabulary(file.toString(), json);
    int separator = separator(file.toString(), vocabulary, spec);
    return of(file.toString(), json, vocabulary, separator);
  }

  /** Four bytes separator, little-endian, then the JSON. */
  static HuggingfaceTokenizer restore(byte[] saved, String name) {
    if (saved.length < Integer.BYTES) {
      throw new DataException(
          name + ": expected a saved tokenizer, found " + saved.length + " bytes");
    }
    int separator = ByteBuffer.wrap(saved).order(ByteOrder.LITTLE_ENDIAN).getInt();
    byte[] json = Arrays.copyOfRange(saved, Integer.BYTES, saved.length);
    return of(name, json, vocabulary(name, json), separator);
  }

  private static HuggingfaceTokenizer of(
      String file, byte[] json, Map<String, Integer> vocabulary, int separator) {
    int size = vocabulary.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
    Set<Integer> ends = new HashSet<>(Set.of(separator));
    for (String token : ENDS_OF_TURNS) {
      Optional.ofNullable(vocabulary.get(token)).ifPresent(ends::add);
    }
    return new HuggingfaceTokenizer(rust(file, json), size, separator, ends, json);
  }

  @Override
  public byte[] save() {
    return ByteBuffer.allocate(Integer.BYTES + json.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(separator)
        .put(json)
        .array();
  }

  private static byte[] read(StorageLocation file, Map<String, String> settings) {
    try {
      return new InputFolder(file.parent(), settings).read(file.name(), FILE_BYTES_MAX);
    } catch (NoSuchFileException e) {
      throw new DataException(file + ": expected a tokenizer.json, found no such file", e);
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static HuggingFaceTokenizer rust(String file, byte[] json) {
    // The library unpacks its native code into this folder and must never ask the network.
    if (System.getProperty("DJL_CACHE_DIR") == null && System.getenv("DJL_CACHE_DIR") == null) {
      System.setProperty("DJL_CACHE_DIR", CacheFolder.of("djl").toString());
    }
    System.setProperty("ai.djl.offline", "true");
    System.setProperty("DJL_OFFLINE", "true");
    System.setProperty("OPT_OUT_TRACKING", "true");
    try {
      return HuggingFaceTokenizer.newInstance(
          new ByteArrayInputStream(json),
          Map.of("addSpecialTokens", "false", "padding", "false", "truncation", "false"));
    } catch (IOException | RuntimeException e) {
      throw new DataException(file + ": not a tokenizer.json: " + e.getMessage(), e);
    }
  }

  private static Map<String, Integer> vocabulary(String file, byte[] json) {
    try {
      Map<String, Integer> ids = new HashMap<>();
      Json.Obj root = JsonReader.read(json, "tokenizer.json", LIMITS).asObject("tokenizer");
      requireNumbers(root);
      Json vocabulary = root.object("model").get("vocab");
      if (vocabulary instanceof Json.Arr pieces) {
        for (int id = 0; id < pieces.items().size(); id++) {
          ids.put(piece(pieces.items().get(id)), id);
        }
      } else {
        vocabulary.asObject("vocab").members().forEach((token, id) -> ids.put(token, id(id)));
      }
      if (root.find("added_tokens").orElse(null) instanceof Json.Arr added) {
        for (Json item : added.items()) {
          Json.Obj token = item.asObject("added_tokens");
          ids.put(token.text("content"), id(token.get("id")));
        }
      }
      return ids;
    } catch (JsonException e) {
      throw new DataException(
          file + ": not a tokenizer.json: byte " + e.offset() + ": " + e.reason(), e);
    }
  }

  /** The library ends the process when it meets a number in its settings that it cannot hold. */
  private static void requireNumbers(Json value) {
    if (value instanceof Json.Obj object) {
      object.members().values().forEach(HuggingfaceTokenizer::requireNumbers);
    } else if (value instanceof Json.Arr array) {
      array.items().forEach(HuggingfaceTokenizer::requireNumbers);
    } else if (value instanceof Json.Num number
        && !Double.isFinite(Double.parseDouble(number.text()))) {
      throw new JsonException(
          number.place().file(),
          number.place().offset(),
          "expected a finite number, found " + number.text());
    }
  }

  /** The text of an entry [text, score] of a unigram vocabulary. */
  private static String piece(Json entry) {
    if (entry instanceof Json.Arr pair && !pair.items().isEmpty()) {
      return pair.items().get(0).asText("vocab");
    }
    throw new JsonException(
        entry.place().file(), entry.place().offset(), "vocab: expected [text, score]");
  }

  private static int id(Json value) {
    return (int) value.asInteger("token id", 0, Integer.MAX_VALUE - 1);
  }

  private static int separator(String file, Map<String, Integer> vocabulary, Huggingface spec) {
    List<String> wanted = spec.documentSeparator().map(List::of).orElse(USUAL_SEPARATORS);
    for (String token : wanted) {
      Integer id = vocabulary.get(token);
      if (id != null) {
        return id;
      }
    }
    throw new DataException(
        file
            + ": expected one of the tokens "
            + wanted
            + " as document separator, found none of them; set tokenizer.document_separator");
  }

  @Override
  public Set<Integer> ends() {
    return ends;
  }

  @Override
  public int vocabularySize() {
    return vocabularySize;
  }

  @Override
  public int separator() {
    return separator;
  }

  @Override
  public String hash() {
    return hash;
  }

  @Override
  public int[] encode(byte[] utf8) {
    long[] wide = idsOf(new String(utf8, StandardCharsets.UTF_8));
    int[] ids = new int[wide.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Math.toIntExact(wide[i]);
    }
    return ids;
  }

  @Override
  public Tokens tokens(String text) {
    Encoding encoding = rust.encode(text, false, false);
    CharSpan[] spans = encoding.getCharTokenSpans();
    int[] ids = new int[spans.length];
    int[] starts = new int[spans.length];
    int points = 0;
    int chars = 0;
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Math.toIntExact(encoding.getIds()[i]);
      // Rust counts code points, and never backwards but where one character is several tokens.
      int start = spans[i] == null ? points : spans[i].getStart();
      if (start < points) {
        chars = text.offsetByCodePoints(0, start);
      } else {
        chars = text.offsetByCodePoints(chars, start - points);
      }
      points = start;
      starts[i] = chars;
    }
    return new Tokens(ids, starts);
  }

  @Override
  public String decode(int[] ids) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      wide[i] = ids[i];
    }
    try {
      return rust.decode(wide, false);
    } catch (RuntimeException refused) {
      throw new DataException(
          "the tokenizer cannot decode " + ids.length + " ids: " + refused.getMessage(), refused);
    }
  }

  private long[] idsOf(String text) {
    try {
      return rust.encode(text, false, false).getIds();
    } catch (RuntimeException refused) {
      throw new DataException(
          "the tokenizer cannot encode a text of "
              + text.length()
              + " characters: "
              + refused.getMessage(),
          refused);
    }
  }

  @Override
  public void close() {
    rust.close();
  }
}
