package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Text, output and the statements for, if, set, macro and generation. */
final class StatementParser {
  private static final int DEEPEST = 60;

  private final Tokens tokens;
  private final ExpressionParser expressions;
  private int depth;

  StatementParser(List<Token> tokens) {
    this.tokens = new Tokens(tokens);
    this.expressions = new ExpressionParser(this.tokens);
  }

  Statement template() {
    Statement all = body(Set.of());
    if (tokens.peek().kind() != Token.Kind.END) {
      throw tokens.wrong("the end of the template");
    }
    return all;
  }

  /** Statements up to a block that begins with one of {@code ends}, whose word is next then. */
  private Statement body(Set<String> ends) {
    if (++depth > DEEPEST) {
      throw tokens.wrong("at most " + DEEPEST + " nested blocks");
    }
    List<Statement> statements = new ArrayList<>();
    while (true) {
      Token token = tokens.peek();
      if (token.kind() == Token.Kind.END) {
        if (!ends.isEmpty()) {
          throw tokens.wrong("one of " + ends.stream().sorted().toList());
        }
        break;
      }
      tokens.next();
      if (token.kind() == Token.Kind.DATA) {
        statements.add((scope, out) -> out.write(token.text()));
      } else if (token.kind() == Token.Kind.OUTPUT_BEGIN) {
        Expression value = expressions.tuple();
        tokens.expect(Token.Kind.OUTPUT_END, "}}");
        statements.add(
            (scope, out) -> {
              Object shown = value.value(scope);
              out.write(at(token.line(), () -> Values.text(shown)));
            });
      } else if (ends.contains(tokens.peek().text())) {
        break;
      } else {
        statements.add(statement());
      }
    }
    depth--;
    return (scope, out) -> statements.forEach(statement -> statement.render(scope, out));
  }

  private interface Text {
    String get();
  }

  private static String at(int line, Text text) {
    try {
      return text.get();
    } catch (TemplateException e) {
      throw new TemplateException(line, String.valueOf(e.getMessage()));
    }
  }

  private Statement statement() {
    Token word = tokens.next();
    return switch (word.text()) {
      case "if" -> branch();
      case "for" -> loop(word.line());
      case "set" -> assignment();
      case "macro" -> macro();
      case "generation" -> generation();
      default ->
          throw new TemplateException(
              word.line(),
              "expected one of if, for, set, macro, generation, found " + word.shown());
    };
  }

  private void blockEnd() {
    tokens.expect(Token.Kind.BLOCK_END, "%}");
  }

  private Statement branch() {
    Expression condition = expressions.tuple();
    blockEnd();
    Statement then = body(Set.of("elif", "else", "endif"));
    String next = tokens.next().text();
    Statement otherwise;
    if (next.equals("elif")) {
      otherwise = branch();
    } else if (next.equals("else")) {
      blockEnd();
      otherwise = body(Set.of("endif"));
      tokens.next();
      blockEnd();
    } else {
      blockEnd();
      otherwise = (scope, out) -> {};
    }
    return (scope, out) ->
        (Values.truth(condition.value(scope)) ? then : otherwise).render(scope, out);
  }

  private Statement loop(int line) {
    List<String> targets = new ArrayList<>(List.of(tokens.expectName()));
    while (tokens.takeOperator(",")) {
      targets.add(tokens.expectName());
    }
    if (!tokens.takeWord("in")) {
      throw tokens.wrong("in");
    }
    // Not a whole expression: the "if" behind it is the loop's own.
    Expression over = expressions.or();
    Expression condition = tokens.takeWord("if") ? expressions.expression() : null;
    if (tokens.word("recursive")) {
      throw tokens.wrong("%} (recursive loops are not known here)");
    }
    blockEnd();
    Statement each = body(Set.of("else", "endfor"));
    Statement none = (scope, out) -> {};
    if (tokens.next().text().equals("else")) {
      blockEnd();
      none = body(Set.of("endfor"));
      tokens.next();
    }
    blockEnd();
    return new Loop(line, targets, over, condition, each, none);
  }

  private record Loop(
      int line,
      List<String> targets,
      Expression over,
      @Nullable Expression condition,
      Statement each,
      Statement none)
      implements Statement {
    @Override
    public void render(Scope scope, Output out) {
      List<Object> items = new ArrayList<>();
      for (Object item : Values.items(over.value(scope))) {
        Scope inner = scoped(scope, item);
        if (condition == null || Values.truth(condition.value(inner))) {
          items.add(item);
        }
      }
      for (int k = 0; k < items.size(); k++) {
        Scope inner = scoped(scope, items.get(k));
        inner.set("loop", place(items, k));
        each.render(inner, out);
      }
      if (items.isEmpty()) {
        none.render(scope, out);
      }
    }

    private Scope scoped(Scope scope, Object item) {
      Scope inner = new Scope(scope);
      if (targets.size() == 1) {
        inner.set(targets.get(0), item);
        return inner;
      }
      List<Object> parts = Values.items(item);
      if (parts.size() != targets.size()) {
        throw new TemplateException(
            line, "for: expected " + targets.size() + " values, found " + parts.size());
      }
      for (int k = 0; k < parts.size(); k++) {
        inner.set(targets.get(k), parts.get(k));
      }
      return inner;
    }

    private static Map<String, Object> place(List<Object> items, int k) {
      int size = items.size();
      return Map.of(
          "index",
          k + 1L,
          "index0",
          (long) k,
          "revindex",
          (long) size - k,
          "revindex0",
          size - k - 1L,
          "first",
          k == 0,
          "last",
          k == size - 1,
          "length",
          (long) size,
          "previtem",
          k == 0 ? new Undefined("loop.previtem") : items.get(k - 1),
          "nextitem",
          k == size - 1 ? new Undefined("loop.nextitem") : items.get(k + 1));
    }
  }

  private Statement assignment() {
    int line = tokens.peek().line();
    String name = tokens.expectName();
    String member = tokens.takeOperator(".") ? tokens.expectName() : null;
    if (tokens.takeOperator("=")) {
      Expression value = expressions.tuple();
      blockEnd();
      return (scope, out) -> assign(scope, line, name, member, value.value(scope));
    }
    blockEnd();
    Statement text = body(Set.of("endset"));
    tokens.next();
    blockEnd();
    return (scope, out) -> {
      Output captured = new Output();
      text.render(new Scope(scope), captured);
      assign(scope, line, name, member, captured.text());
    };
  }

  private static void assign(
      Scope scope, int line, String name, @Nullable String member, Object value) {
    if (member == null) {
      scope.set(name, value);
    } else if (scope.get(name) instanceof Functions.Namespace namespace) {
      namespace.put(member, value);
    } else {
      throw new TemplateException(line, "set: expected \"" + name + "\" to be a namespace");
    }
  }

  private Statement macro() {
    String name = tokens.expectName();
    tokens.expectOperator("(");
    List<String> names = new ArrayList<>();
    List<Expression> defaults = new ArrayList<>();
    while (!tokens.takeOperator(")")) {
      String parameter = tokens.expectName();
      names.add(parameter);
      defaults.add(
          tokens.takeOperator("=") ? expressions.expression() : at -> new Undefined(parameter));
      if (!tokens.operator(")")) {
        tokens.expectOperator(",");
      }
    }
    blockEnd();
    Statement text = body(Set.of("endmacro"));
    tokens.next();
    blockEnd();
    return (scope, out) ->
        scope.set(
            name,
            (Callable)
                (arguments, named) -> {
                  Scope inner = new Scope(scope);
                  for (int k = 0; k < names.size(); k++) {
                    Object given =
                        k < arguments.size() ? arguments.get(k) : named.get(names.get(k));
                    inner.set(names.get(k), given != null ? given : defaults.get(k).value(inner));
                  }
                  Output captured = new Output();
                  text.render(inner, captured);
                  return captured.text();
                });
  }

  private Statement generation() {
    blockEnd();
    Statement answer = body(Set.of("endgeneration"));
    tokens.next();
    blockEnd();
    return (scope, out) -> {
      int start = out.length();
      answer.render(scope, out);
      out.generated(start);
    };
  }
}
