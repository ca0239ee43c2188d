package dev.kindling.optim.rule;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NamePatternTest {
  private static final List<String> NAMES =
      List.of(
          "model.embed_tokens.weight",
          "model.layers.0.self_attn.q_proj.weight",
          "model.layers.0.input_layernorm.weight",
          "model.norm.weight",
          "lm_head.weight");

  @Test
  void wholeNamesMatchAndDotsAreDots() {
    NamePattern pattern = new NamePattern("lm_head.weight");
    assertThat(pattern.matches("lm_head.weight")).isTrue();
    assertThat(pattern.matches("lm_head_weight")).isFalse();
    assertThat(pattern.matches("lm_head.weight.1")).isFalse();
    assertThat(pattern.matches("x.lm_head.weight")).isFalse();
  }

  @Test
  void starsAndQuestionMarksStandForOtherText() {
    assertThat(NAMES.stream().filter(new NamePattern("*norm.weight | *embed*")::matches))
        .containsExactly(
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.norm.weight");
    assertThat(new NamePattern("model.layers.?.*").matches("model.layers.7.x")).isTrue();
    assertThat(new NamePattern("model.layers.?.*").matches("model.layers.17.x")).isFalse();
    assertThat(new NamePattern("a+(b)\\E").matches("a+(b)\\E")).isTrue();
  }

  @Test
  void eachAlternativeHasToMatchSomething() {
    assertThat(new NamePattern("*embed*|embed*|*norms*").unmatched(NAMES))
        .containsExactly("embed*", "*norms*");
    assertThat(new NamePattern("a|").isComplete()).isFalse();
    assertThat(new NamePattern("").isComplete()).isFalse();
    assertThat(new NamePattern("a|b").isComplete()).isTrue();
  }

  @Test
  void theNearestNamesShareTheLongestText() {
    assertThat(NamePattern.nearest("embed_token*", NAMES)).startsWith("model.embed_tokens.weight");
    assertThat(NamePattern.nearest("*.attn.q_proj", NAMES))
        .startsWith("model.layers.0.self_attn.q_proj.weight")
        .hasSize(3);
  }
}
