import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Makes conversations of the pinned corpus: a class and the signature of a public method, answered by the first sentence of its
 * Javadoc; and questions that ask which of four sentences belongs to a signature.
 *
 * <p>{@code java -cp 'driver/target/spark-home/jars/*' cluster-configs/javadoc/JavadocPairs.java CORPUS OUT}
 *
 * <pre>
 * OUT/train.jsonl, OUT/validation.jsonl   {"messages": [{"role": "user", ...}, {"role": "assistant", ...}]}
 * OUT/questions.jsonl                     {"prompt": ..., "choices": [four], "answer": 0..3}, of the projects held out
 * </pre>
 */
public final class JavadocPairs {
  private static final Pattern METHOD = Pattern.compile("\\s*(?:@Override\\s+)?(public [^;{}=@]{8,200}\\))[^;{}=]{0,80}[;{]");
  private static final Pattern WANTED = Pattern.compile("(?:Returns?|Gets?|Sets?|Checks?|Creates?|Adds?|Removes?|[A-Z][a-z]+s) [ -z]{12,140}\\.");
  private static final int QUESTIONS = 400;
  private static final ObjectMapper JSON = new ObjectMapper();

  private record Pair(String signature, String sentence) {}

  public static void main(String[] arguments) throws IOException {
    Path corpus = Path.of(arguments[0]);
    Path out = Files.createDirectories(Path.of(arguments[1]));
    List<Pair> train = pairs(corpus.resolve("train"));
    List<Pair> heldOut = pairs(corpus.resolve("validation"));
    conversations(out.resolve("train.jsonl"), train);
    conversations(out.resolve("validation.jsonl"), heldOut);
    questions(out.resolve("questions.jsonl"), heldOut);
    System.out.println(train.size() + " conversations to train on, " + heldOut.size() + " held out");
  }

  /** One pair for each sentence, so that no answer is learnt by heart; in the order of the sentences' hashes. */
  private static List<Pair> pairs(Path folder) throws IOException {
    Map<String, Pair> bySentence = new TreeMap<>();
    TreeSet<Path> files = new TreeSet<>();
    try (DirectoryStream<Path> listed = Files.newDirectoryStream(folder, "*.jsonl")) {
      listed.forEach(files::add);
    }
    for (Path file : files) {
      try (BufferedReader lines = Files.newBufferedReader(file)) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          Map<?, ?> document = JSON.readValue(line, Map.class);
          String name = (String) document.get("name");
          if (name.endsWith(".java")) {
            collect(name.substring(name.lastIndexOf('/') + 1, name.length() - 5), (String) document.get("text"), bySentence);
          }
        }
      }
    }
    List<Pair> pairs = new ArrayList<>(bySentence.values());
    pairs.sort(java.util.Comparator.comparing((Pair pair) -> pair.sentence().hashCode()).thenComparing(Pair::sentence));
    return pairs;
  }

  private static void collect(String owner, String text, Map<String, Pair> bySentence) {
    Matcher method = METHOD.matcher(text);
    int end = 0;
    for (int start = text.indexOf("/**"); start >= 0; start = text.indexOf("/**", end)) {
      end = text.indexOf("*/", start + 3);
      if (end < 0) {
        return;
      }
      end += 2;
      if (method.region(end, text.length()).lookingAt()) {
        String sentence = firstSentence(text.substring(start + 3, end - 2));
        if (WANTED.matcher(sentence).matches() && sentence.chars().noneMatch(c -> "<>{}@\\".indexOf(c) >= 0)) {
          String signature = method.group(1).replaceAll("\\s+", " ").replace("final ", "").strip();
          bySentence.putIfAbsent(sentence, new Pair(owner + ": " + signature, sentence));
        }
      }
    }
  }

  private static String firstSentence(String comment) {
    String text = comment.replaceAll("(?m)^\\s*\\* ?", "").replaceAll("\\s+", " ").strip();
    int end = text.indexOf(". ");
    return end < 0 ? text : text.substring(0, end + 1);
  }

  private static void conversations(Path file, List<Pair> pairs) throws IOException {
    try (BufferedWriter out = Files.newBufferedWriter(file)) {
      for (Pair pair : pairs) {
        ObjectNode line = JSON.createObjectNode();
        ArrayNode messages = line.putArray("messages");
        messages.addObject().put("role", "user").put("content", pair.signature());
        messages.addObject().put("role", "assistant").put("content", pair.sentence());
        out.write(JSON.writeValueAsString(line) + "\n");
      }
    }
  }

  private static void questions(Path file, List<Pair> pairs) throws IOException {
    Random random = new Random(1);
    try (BufferedWriter out = Files.newBufferedWriter(file)) {
      for (int i = 0; i < Math.min(QUESTIONS, pairs.size()); i++) {
        ObjectNode line = JSON.createObjectNode();
        line.put("prompt", "<|im_start|>user\n" + pairs.get(i).signature() + "<|im_end|>\n<|im_start|>assistant\n");
        int answer = random.nextInt(4);
        ArrayNode choices = line.putArray("choices");
        for (int choice = 0; choice < 4; choice++) {
          choices.add(pairs.get(choice == answer ? i : random.nextInt(pairs.size())).sentence());
        }
        line.put("answer", answer);
        out.write(JSON.writeValueAsString(line) + "\n");
      }
    }
  }
}
