package dev.kindling.worker.adapt;

import dev.kindling.configs.yaml.Suggestions;
import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Weight;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;

/**
 * The modules of a model under their Hugging Face paths, and how patterns choose among them: as in
 * peft a pattern is the path, its end behind a dot, or a regular expression of one of these.
 * {@value #ALL_LINEAR} is every linear map but the head.
 *
 * @param maps linear maps in the order of the model
 * @param params all parameters in the order of the model
 */
record Modules(List<Weight> maps, List<Param> params) {
  static final String ALL_LINEAR = "all-linear";
  private static final String HEAD = "lm_head";

  Modules {
    maps = List.copyOf(maps);
    params = List.copyOf(params);
  }

  /** Whatever the vocabulary is. */
  static Modules of(ModelFamily model) {
    ModelFamily known = model.vocabulary().isPresent() ? model : model.withVocabulary(1);
    return new Modules(known.maps(), known.parameters());
  }

  static boolean matches(String pattern, String path) {
    return Pattern.compile("(.*\\.)?(" + pattern + ")").matcher(path).matches();
  }

  /**
   * Linear maps that a pattern chooses, but those that another one excludes or that are trained.
   */
  List<Weight> targets(List<String> targets, List<String> exclude, List<String> saved) {
    return maps.stream()
        .filter(map -> targets.stream().anyMatch(pattern -> targeted(pattern, map.name())))
        .filter(map -> exclude.stream().noneMatch(pattern -> matches(pattern, map.name())))
        .filter(map -> saved.stream().noneMatch(pattern -> matches(pattern, map.name())))
        .toList();
  }

  private static boolean targeted(String pattern, String path) {
    return pattern.equals(ALL_LINEAR) ? !path.equals(HEAD) : matches(pattern, path);
  }

  /** Names of the parameters of the modules that a pattern chooses. */
  Set<String> trained(List<String> saved) {
    return params.stream()
        .map(Param::name)
        .filter(name -> saved.stream().anyMatch(pattern -> matches(pattern, path(name))))
        .collect(Collectors.toUnmodifiableSet());
  }

  private static String path(String param) {
    return param.replaceFirst("\\.(weight|bias)$", "");
  }

  /** What the first pattern that matches the path says, in the order of the configuration. */
  static <T> T patterned(Map<String, T> patterns, String path, T otherwise) {
    for (Map.Entry<String, T> entry : patterns.entrySet()) {
      if (matches(entry.getKey(), path)) {
        return entry.getValue();
      }
    }
    return otherwise;
  }

  /**
   * Notes patterns that choose nothing.
   *
   * @param all whether among all modules; else among the linear maps
   */
  void check(String key, Iterable<String> patterns, boolean all, Expectation errors) {
    Map<String, String> names = new HashMap<>();
    if (all) {
      params.forEach(param -> names.put(path(param.name()), last(path(param.name()))));
    } else {
      maps.forEach(map -> names.put(map.name(), last(map.name())));
    }
    String expected = all ? "a module of the model" : "a linear map of the model or all-linear";
    for (String pattern : patterns) {
      try {
        boolean found =
            (!all && pattern.equals(ALL_LINEAR))
                || names.keySet().stream().anyMatch(path -> matches(pattern, path));
        Set<String> words = new TreeSet<>(names.values());
        String nearest =
            Suggestions.nearest(last(pattern), words)
                .map(word -> " (nearest: " + word + ")")
                .orElse(" (known: " + String.join(", ", words) + ")");
        errors.that(found, key, expected, pattern + nearest);
      } catch (PatternSyntaxException broken) {
        errors.that(false, key, "a name or a regular expression", pattern);
      }
    }
  }

  private static String last(String path) {
    return path.substring(path.lastIndexOf('.') + 1);
  }

  /**
   * @throws PlanException with all that was noted
   */
  static void orThrow(Expectation errors) {
    try {
      errors.orThrow();
    } catch (IllegalArgumentException unfit) {
      throw new PlanException(String.valueOf(unfit.getMessage()));
    }
  }
}
