package dev.kindling.worker.jinja;

import java.util.List;
import java.util.Map;

/** A parsed chat template; see the package for what part of Jinja it is. */
public final class Template {
  private final Statement body;

  private Template(Statement body) {
    this.body = body;
  }

  /**
   * Characters {@code [start, end)} of a rendered text.
   *
   * @param start counted in Java's chars, as is {@code end}
   */
  public record Span(int start, int end) {}

  /**
   * @param generated what {@code generation} blocks wrote, in order; empty where there are none
   */
  public record Rendered(String text, List<Span> generated) {
    public Rendered {
      generated = List.copyOf(generated);
    }
  }

  /**
   * @throws TemplateException naming the line of what is not understood
   */
  public static Template parse(String source) {
    return new Template(new StatementParser(Lexer.tokens(source)).template());
  }

  /**
   * @param variables texts, longs, doubles, flags, and lists and maps (by text) of them; null is
   *     Python's None
   * @throws TemplateException when the template raises an exception or uses what is not here
   */
  public Rendered render(Map<String, ?> variables) {
    Scope scope = new Scope(null);
    Functions.define(scope);
    variables.forEach((name, value) -> scope.set(name, Values.of(value)));
    Output out = new Output();
    try {
      body.render(scope, out);
    } catch (ClassCastException | ArithmeticException | IndexOutOfBoundsException e) {
      throw new TemplateException(0, "template: " + e.getMessage());
    } catch (StackOverflowError e) {
      throw new TemplateException(0, "template: nested or recursive too deeply");
    }
    return new Rendered(out.text(), out.generated());
  }
}
