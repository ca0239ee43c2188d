package dev.kindling.optim.rule;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Names of parameters: {@code *} is any run of characters, {@code ?} one character, {@code |}
 * stands between alternatives; everything else stands for itself. Whole names match.
 */
public final class NamePattern {
  private static final int NEAREST = 3;

  private final List<String> alternatives;
  private final List<Pattern> patterns;

  public NamePattern(String text) {
    alternatives = Arrays.stream(text.split("\\|", -1)).map(String::strip).toList();
    patterns = alternatives.stream().map(NamePattern::pattern).toList();
  }

  private static Pattern pattern(String alternative) {
    String expression =
        alternative
            .chars()
            .mapToObj(
                c ->
                    switch (c) {
                      case '*' -> ".*";
                      case '?' -> ".";
                      default -> Pattern.quote(Character.toString(c));
                    })
            .collect(Collectors.joining());
    return Pattern.compile(expression);
  }

  /** Whether the pattern can match anything at all. */
  public boolean isComplete() {
    return alternatives.stream().noneMatch(String::isEmpty);
  }

  public boolean matches(String name) {
    return patterns.stream().anyMatch(pattern -> pattern.matcher(name).matches());
  }

  /** Alternatives that match none of these names. */
  public List<String> unmatched(Collection<String> names) {
    return alternatives.stream()
        .filter(each -> names.stream().noneMatch(name -> pattern(each).matcher(name).matches()))
        .toList();
  }

  /** The names that share the longest piece of text with a pattern, best first. */
  public static List<String> nearest(String pattern, Collection<String> names) {
    String literal = pattern.replace("*", "").replace("?", "");
    return names.stream()
        .sorted(Comparator.comparingInt((String name) -> -common(literal, name)))
        .limit(NEAREST)
        .toList();
  }

  /** Length of the longest text that stands in both. */
  private static int common(String a, String b) {
    int[] row = new int[b.length() + 1];
    int best = 0;
    for (int i = 0; i < a.length(); i++) {
      for (int j = b.length() - 1; j >= 0; j--) {
        row[j + 1] = a.charAt(i) == b.charAt(j) ? row[j] + 1 : 0;
        best = Math.max(best, row[j + 1]);
      }
    }
    return best;
  }
}
