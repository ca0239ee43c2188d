package dev.kindling.worker.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Against Python's jinja2, as recorded by worker/src/test/fixtures/make_templates.py. */
class TemplateTest {
  private static final Path FIXTURE =
      Path.of("src/test/resources/dev/kindling/worker/jinja/templates.json");

  private static final long SEED = Long.getLong("seed", 23L);

  record Case(String template, Map<String, Object> variables, Json.Obj outcome) {}

  static List<Case> cases() throws IOException {
    Json.Obj root =
        JsonReader.read(Files.readAllBytes(FIXTURE), FIXTURE.toString()).asObject("fixture");
    Map<String, String> named = root.stringMap("templates");
    List<Case> cases = new ArrayList<>();
    for (Json item : root.list("cases")) {
      Json.Obj one = item.asObject("case");
      String template = one.text("template");
      cases.add(
          new Case(
              named.getOrDefault(template, template), variables(one.object("variables")), one));
    }
    return cases;
  }

  private static Map<String, Object> variables(Json.Obj json) {
    Map<String, Object> variables = new LinkedHashMap<>();
    json.members().forEach((name, value) -> variables.put(name, value(value)));
    return variables;
  }

  private static Object value(Json json) {
    if (json instanceof Json.Arr list) {
      return list.items().stream().map(TemplateTest::value).toList();
    }
    if (json instanceof Json.Obj object) {
      return variables(object);
    }
    return json instanceof Json.Bool flag ? flag.value() : json.asText("variable");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void rendersWhatPythonRenders(Case one) {
    Template template = Template.parse(one.template);
    if (one.outcome.find("expected").isPresent()) {
      assertThat(template.render(one.variables).text())
          .as(one.template)
          .isEqualTo(one.outcome.text("expected"));
    } else {
      assertThatThrownBy(() -> template.render(one.variables))
          .isInstanceOf(TemplateException.class);
    }
  }

  @Test
  void theFixtureHoldsRenderedAndRefusedCases() throws IOException {
    assertThat(cases()).filteredOn(one -> one.outcome.find("refused").isPresent()).hasSize(10);
    assertThat(cases()).hasSizeGreaterThan(100);
  }

  @Test
  void generationBlocksTellWhatTheyWrote() {
    String source =
        "{% for m in messages %}{{ m }}:{% generation %}<{{ m }}>{% endgeneration %};{% endfor %}";
    Template.Rendered rendered =
        Template.parse(source).render(Map.of("messages", List.of("a", "bc")));
    assertThat(rendered.text()).isEqualTo("a:<a>;bc:<bc>;");
    assertThat(rendered.generated())
        .extracting(span -> rendered.text().substring(span.start(), span.end()))
        .containsExactly("<a>", "<bc>");
  }

  @Test
  void aRefusalOfTheTemplateIsItsOwnWords() {
    assertThatThrownBy(() -> render("{{ raise_exception('roles must ' ~ 'alternate') }}"))
        .hasMessageContaining("roles must alternate");
  }

  @Test
  void whatIsNotKnownHereIsNamedWithItsLine() {
    expectFault("a\n{% include 'x' %}", "template line 2: expected one of if, for, set");
    expectFault("\n\n{{ x | sort }}", "template line 3: filter: expected one of [capitalize");
    expectFault("{{ x is nice }}", "is: expected one of [");
    expectFault("{% if x %}", "expected one of [elif, else, endif], found the end");
    expectFault("{{ 'x }}", "expected the end of the string");
    expectFault("{{ x ", "expected }}, found the end of the template");
    expectFault("{{ (1 }}", "expected");
    expectFault("{{ 1 + }}", "expected a value");
    expectFault("{# x", "expected the end of the comment");
    expectFault("{% for x in y recursive %}{% endfor %}", "recursive");
    expectFault("{{ missing.x }}", "\"missing\" is undefined, it has no \"x\"");
    expectFault("{{ [1] }}", "template line 1: expected a text, found a list");
    expectFault("{{ 7.nothing() }}", "expected");
  }

  @Test
  void aTemplateOfAStrangerIsBounded() {
    expectFault("{{ range(1000000000) | length }}", "at most 100000 numbers");
    expectFault("{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}", "nested");
    expectFault("{{ " + "-".repeat(5000) + "1 }}", "nested");
    expectFault("{% if 1 %}".repeat(5000), "nested blocks");
    expectFault("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested or recursive");
    expectFault("{{ 99999999999999999999 }}", "at most 18 digits");
    expectFault("{{ 1 // 0 }}", "template");
    expectFault("{{ 'a'.replace('b') }}", "template");
    expectFault("{{ ''.getClass() }}", "expected a function");
    expectFault("{{ ''.class }}{{ [].class.x }}", "undefined");
  }

  @Test
  void mutatedTemplatesRenderOrAreRefused() throws IOException {
    Random random = new Random(SEED);
    List<Case> cases = cases();
    String pieces = "{}%#-+'\"|.()[]:=~*/<> \n0aifnot";
    int refused = 0;
    for (int trial = 0; trial < 5000; trial++) {
      Case one = cases.get(random.nextInt(cases.size()));
      StringBuilder source = new StringBuilder(one.template);
      for (int k = random.nextInt(4); k >= 0 && source.length() > 1; k--) {
        int at = random.nextInt(source.length());
        int kind = random.nextInt(3);
        if (kind == 0) {
          source.deleteCharAt(at);
        } else if (kind == 1) {
          source.insert(at, pieces.charAt(random.nextInt(pieces.length())));
        } else {
          int other = random.nextInt(source.length());
          source.insert(at, source.substring(other, Math.min(source.length(), other + 12)));
        }
      }
      try {
        Template.parse(source.toString()).render(one.variables);
      } catch (TemplateException e) {
        refused++;
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + SEED + " trial " + trial + ": " + source, e);
      }
    }
    assertThat(refused).isBetween(500, 4500);
  }

  private static String render(String source) {
    return Template.parse(source).render(Map.of()).text();
  }

  private static void expectFault(String source, String message) {
    assertThatThrownBy(() -> render(source))
        .as(source)
        .isInstanceOf(TemplateException.class)
        .hasMessageContaining(message);
  }
}
