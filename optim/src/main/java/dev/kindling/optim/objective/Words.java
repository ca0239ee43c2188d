package dev.kindling.optim.objective;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The words of an answer as answers are compared: lower case, without punctuation, without English
 * articles, whatever stands between them (Rajpurkar et al. 2016, 1606.05250, section 6).
 */
record Words(List<String> words) {
  private static final Set<String> ARTICLES = Set.of("a", "an", "the");

  static Words of(String text) {
    String plain = text.toLowerCase(Locale.ROOT).replaceAll("\\p{Punct}", "");
    List<String> words = new ArrayList<>();
    for (String word : plain.split("\\s+", -1)) {
      if (!word.isEmpty() && !ARTICLES.contains(word)) {
        words.add(word);
      }
    }
    return new Words(List.copyOf(words));
  }

  /** 1 if neither has a word, 0 if one alone has none. */
  double f1(Words right) {
    if (words.isEmpty() || right.words.isEmpty()) {
      return words.isEmpty() && right.words.isEmpty() ? 1 : 0;
    }
    List<String> left = new ArrayList<>(right.words);
    long common = words.stream().filter(left::remove).count();
    return 2.0 * common / (words.size() + right.words.size());
  }
}
