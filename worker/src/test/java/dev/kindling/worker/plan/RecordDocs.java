package dev.kindling.worker.plan;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the Javadoc of configuration records says about them and their components: class files hold
 * no comments, so this reads the sources of the clone that the tests run in.
 */
final class RecordDocs {
  private static final List<String> ROOMS =
      List.of("worker", "optim", "kernels", "cluster-configs", "comm", "moe");

  private RecordDocs() {}

  /** The first sentence of a record, or what its {@code @param} says; empty if neither exists. */
  static String of(Class<?> record, String component) {
    String comment = comment(record);
    if (component.isEmpty()) {
      String text = plain(comment.split("\n\\s*@", 2)[0]);
      Matcher sentence = Pattern.compile("^(.+?)[.:](?=\\s|$)").matcher(text);
      return sentence.find() ? sentence.group(1) : text;
    }
    Matcher param =
        Pattern.compile("(?s)@param " + component + "\\s+(.*?)(?=\\n\\s*@|$)").matcher(comment);
    return param.find() ? plain(param.group(1)) : "";
  }

  private static String comment(Class<?> record) {
    Class<?> outer = record.getNestHost();
    String file = "src/main/java/" + outer.getName().replace('.', '/') + ".java";
    for (String room : ROOMS) {
      Path path = Path.of("..", room, file);
      if (Files.exists(path)) {
        try {
          return comment(Files.readString(path, StandardCharsets.UTF_8), record.getSimpleName());
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    throw new IllegalStateException("no source of " + record);
  }

  private static String comment(String source, String name) {
    int record = source.indexOf("record " + name + "(");
    int end = source.lastIndexOf("*/", record);
    int start = source.lastIndexOf("/**", end);
    // Only annotations and modifiers may stand between a comment and its record.
    boolean own = end >= 0 && source.substring(end + 2, record).matches("[\\s\\w@(\"),]*");
    return own ? source.substring(start + 3, end).replaceAll("(?m)^\\s*\\* ?", "") : "";
  }

  private static String plain(String javadoc) {
    return javadoc
        .replaceAll("\\{@\\w+ (?:[\\w.]*#)?([^}]*)}", "$1")
        .replaceAll("<[^>]*>", " ")
        .replaceAll("\\s+", " ")
        .strip();
  }
}
