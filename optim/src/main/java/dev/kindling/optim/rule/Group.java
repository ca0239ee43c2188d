package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;

/**
 * Parameters that have a rule of their own.
 *
 * @param match their names: {@code *} is any run of characters, {@code ?} one character, {@code |}
 *     stands between alternatives, whole names match
 * @param rule what updates them
 */
public record Group(String match, UpdateRule rule) {
  public Group {
    new Expectation()
        .that(
            new NamePattern(match).isComplete(),
            "match",
            "a pattern of parameter names on each side of |",
            '"' + match + '"')
        .orThrow();
  }

  NamePattern pattern() {
    return new NamePattern(match);
  }
}
