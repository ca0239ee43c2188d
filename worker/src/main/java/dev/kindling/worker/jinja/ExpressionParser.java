package dev.kindling.worker.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Expressions, with Jinja's precedence from weak to strong: {@code a if b else c}, or, and, not,
 * comparisons, + and -, ~, * and its kin, unary minus, then what follows a value: attribute, item,
 * call, filter, test.
 */
final class ExpressionParser {
  private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", ">", "<=", ">=");
  private static final Set<String> NO_TEST_ARGUMENT = Set.of("else", "or", "and", "if", "is", "in");
  private static final int DEEPEST = 100;

  private final Tokens tokens;
  private int depth;

  ExpressionParser(Tokens tokens) {
    this.tokens = tokens;
  }

  /** Arguments of a call, by place and by name. */
  record Arguments(List<Expression> placed, Map<String, Expression> named) {
    List<Object> placedIn(Scope scope) {
      List<Object> values = new ArrayList<>();
      placed.forEach(argument -> values.add(argument.value(scope)));
      return values;
    }

    Map<String, Object> namedIn(Scope scope) {
      Map<String, Object> values = new LinkedHashMap<>();
      named.forEach((name, argument) -> values.put(name, argument.value(scope)));
      return values;
    }
  }

  /** A value, or several with commas between: a tuple, which is a list here. */
  Expression tuple() {
    Expression first = expression();
    if (!tokens.operator(",")) {
      return first;
    }
    List<Expression> items = new ArrayList<>(List.of(first));
    while (tokens.takeOperator(",")) {
      items.add(expression());
    }
    return list(items);
  }

  Expression expression() {
    if (++depth > DEEPEST) {
      throw tokens.wrong("at most " + DEEPEST + " nested expressions");
    }
    Expression value = or();
    while (tokens.takeWord("if")) {
      Expression then = value;
      Expression condition = or();
      Expression otherwise =
          tokens.takeWord("else") ? expression() : scope -> new Undefined("the missing else");
      value =
          scope ->
              Values.truth(condition.value(scope)) ? then.value(scope) : otherwise.value(scope);
    }
    depth--;
    return value;
  }

  Expression or() {
    Expression left = and();
    while (tokens.takeWord("or")) {
      Expression first = left;
      Expression second = and();
      left =
          scope -> {
            Object value = first.value(scope);
            return Values.truth(value) ? value : second.value(scope);
          };
    }
    return left;
  }

  private Expression and() {
    Expression left = not();
    while (tokens.takeWord("and")) {
      Expression first = left;
      Expression second = not();
      left =
          scope -> {
            Object value = first.value(scope);
            return Values.truth(value) ? second.value(scope) : value;
          };
    }
    return left;
  }

  private Expression not() {
    int negations = 0;
    while (tokens.word("not") && !tokens.peekSecond().is(Token.Kind.NAME, "in")) {
      tokens.next();
      negations++;
    }
    Expression value = comparison();
    if (negations == 0) {
      return value;
    }
    boolean even = negations % 2 == 0;
    return scope -> Values.truth(value.value(scope)) == even;
  }

  private Expression comparison() {
    Expression left = sum();
    Expression all = null;
    while (true) {
      String operator = comparisonOperator();
      if (operator == null) {
        return all == null ? left : all;
      }
      Expression a = left;
      Expression b = sum();
      Expression one = scope -> compare(operator, a.value(scope), b.value(scope));
      Expression before = all;
      all =
          before == null
              ? one
              : scope -> Values.truth(before.value(scope)) ? one.value(scope) : false;
      left = b;
    }
  }

  private @Nullable String comparisonOperator() {
    Token token = tokens.peek();
    if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
      return tokens.next().text();
    }
    if (tokens.takeWord("in")) {
      return "in";
    }
    if (tokens.word("not") && tokens.peekSecond().is(Token.Kind.NAME, "in")) {
      tokens.next();
      tokens.next();
      return "not in";
    }
    return null;
  }

  private static boolean compare(String operator, Object left, Object right) {
    return switch (operator) {
      case "==" -> Values.equal(left, right);
      case "!=" -> !Values.equal(left, right);
      case "in" -> Values.contains(right, left);
      case "not in" -> !Values.contains(right, left);
      case "<" -> Values.compare(left, right) < 0;
      case ">" -> Values.compare(left, right) > 0;
      case "<=" -> Values.compare(left, right) <= 0;
      default -> Values.compare(left, right) >= 0;
    };
  }

  private Expression sum() {
    Expression left = joined();
    while (tokens.operator("+") || tokens.operator("-")) {
      boolean plus = tokens.next().text().equals("+");
      Expression a = left;
      Expression b = joined();
      left =
          plus
              ? scope -> Values.add(a.value(scope), b.value(scope))
              : scope -> Values.arithmetic("-", a.value(scope), b.value(scope));
    }
    return left;
  }

  private Expression joined() {
    Expression left = product();
    while (tokens.takeOperator("~")) {
      Expression a = left;
      Expression b = product();
      left = scope -> Values.text(a.value(scope)) + Values.text(b.value(scope));
    }
    return left;
  }

  private Expression product() {
    Expression left = unary();
    while (tokens.operator("*")
        || tokens.operator("/")
        || tokens.operator("//")
        || tokens.operator("%")) {
      String operator = tokens.next().text();
      Expression a = left;
      Expression b = unary();
      left = scope -> Values.arithmetic(operator, a.value(scope), b.value(scope));
    }
    return left;
  }

  private Expression unary() {
    if (tokens.takeOperator("-")) {
      if (++depth > DEEPEST) {
        throw tokens.wrong("at most " + DEEPEST + " nested expressions");
      }
      Expression value = unary();
      depth--;
      return scope -> Values.arithmetic("-", 0L, value.value(scope));
    }
    Expression value = postfix(primary());
    while (tokens.operator("|") || tokens.word("is")) {
      value = tokens.takeOperator("|") ? filtered(value) : tested(value);
    }
    return value;
  }

  private Expression primary() {
    Token token = tokens.next();
    return switch (token.kind()) {
      case STRING -> strings(token);
      case INTEGER -> constant(Long.valueOf(token.text()));
      case FLOAT -> constant(Double.valueOf(token.text()));
      case NAME -> named(token);
      case OPERATOR -> bracketed(token);
      default ->
          throw new TemplateException(token.line(), "expected a value, found " + token.shown());
    };
  }

  /** Neighbouring literals are one, as in Python. */
  private Expression strings(Token first) {
    StringBuilder text = new StringBuilder(first.text());
    while (tokens.peek().kind() == Token.Kind.STRING) {
      text.append(tokens.next().text());
    }
    return constant(text.toString());
  }

  private static Expression constant(Object value) {
    return scope -> value;
  }

  private static Expression named(Token token) {
    String name = token.text();
    return switch (name) {
      case "true", "True" -> constant(true);
      case "false", "False" -> constant(false);
      case "none", "None" -> constant(None.NONE);
      default -> scope -> scope.get(name);
    };
  }

  private Expression bracketed(Token token) {
    if (token.text().equals("(")) {
      if (tokens.takeOperator(")")) {
        return list(List.of());
      }
      Expression value = tuple();
      tokens.expectOperator(")");
      return value;
    }
    if (token.text().equals("[")) {
      List<Expression> items = new ArrayList<>();
      while (!tokens.takeOperator("]")) {
        items.add(expression());
        if (!tokens.operator("]")) {
          tokens.expectOperator(",");
        }
      }
      return list(items);
    }
    if (token.text().equals("{")) {
      return mapping();
    }
    throw new TemplateException(token.line(), "expected a value, found " + token.shown());
  }

  private static Expression list(List<Expression> items) {
    return scope -> {
      List<Object> values = new ArrayList<>();
      items.forEach(item -> values.add(item.value(scope)));
      return values;
    };
  }

  private Expression mapping() {
    Map<String, Expression> members = new LinkedHashMap<>();
    while (!tokens.takeOperator("}")) {
      String key = tokens.expect(Token.Kind.STRING, "a string as key").text();
      tokens.expectOperator(":");
      members.put(key, expression());
      if (!tokens.operator("}")) {
        tokens.expectOperator(",");
      }
    }
    Arguments values = new Arguments(List.of(), members);
    return values::namedIn;
  }

  private Expression postfix(Expression start) {
    Expression value = start;
    while (true) {
      Expression target = value;
      int line = tokens.peek().line();
      if (tokens.takeOperator(".")) {
        Token name = tokens.next();
        value = scope -> Methods.attribute(line, target.value(scope), name.text());
      } else if (tokens.takeOperator("[")) {
        value = subscript(target, line);
      } else if (tokens.operator("(")) {
        Arguments arguments = arguments();
        value =
            scope -> {
              Object function = target.value(scope);
              if (function instanceof Callable callable) {
                return callable.call(arguments.placedIn(scope), arguments.namedIn(scope));
              }
              throw new TemplateException(
                  line, "expected a function, found " + Values.kind(function));
            };
      } else {
        return value;
      }
    }
  }

  private Expression subscript(Expression target, int line) {
    Expression from = tokens.operator(":") ? null : expression();
    if (from != null && tokens.takeOperator("]")) {
      return scope -> Methods.item(line, target.value(scope), from.value(scope));
    }
    tokens.expectOperator(":");
    Expression to = tokens.operator(":") || tokens.operator("]") ? null : expression();
    Expression by = tokens.takeOperator(":") && !tokens.operator("]") ? expression() : null;
    tokens.expectOperator("]");
    return scope ->
        Values.slice(
            target.value(scope),
            from == null ? null : from.value(scope),
            to == null ? null : to.value(scope),
            by == null ? null : by.value(scope));
  }

  Arguments arguments() {
    tokens.expectOperator("(");
    List<Expression> placed = new ArrayList<>();
    Map<String, Expression> named = new LinkedHashMap<>();
    while (!tokens.takeOperator(")")) {
      if (tokens.peek().kind() == Token.Kind.NAME
          && tokens.peekSecond().is(Token.Kind.OPERATOR, "=")) {
        String name = tokens.next().text();
        tokens.next();
        named.put(name, expression());
      } else {
        placed.add(expression());
      }
      if (!tokens.operator(")")) {
        tokens.expectOperator(",");
      }
    }
    return new Arguments(placed, named);
  }

  private Expression filtered(Expression value) {
    int line = tokens.peek().line();
    String name = tokens.expectName();
    Arguments arguments = tokens.operator("(") ? arguments() : new Arguments(List.of(), Map.of());
    Filters.require(line, name);
    return scope ->
        Filters.apply(
            name, value.value(scope), arguments.placedIn(scope), arguments.namedIn(scope));
  }

  private Expression tested(Expression value) {
    tokens.next();
    boolean negated = tokens.takeWord("not");
    int line = tokens.peek().line();
    String name = tokens.expectName();
    List<Expression> arguments = List.of();
    Token next = tokens.peek();
    if (tokens.operator("(")) {
      arguments = arguments().placed();
    } else if (next.kind() == Token.Kind.STRING
        || next.kind() == Token.Kind.INTEGER
        || tokens.operator("[")
        || (next.kind() == Token.Kind.NAME && !NO_TEST_ARGUMENT.contains(next.text()))) {
      arguments = List.of(postfix(primary()));
    }
    IsTests.require(line, name);
    Arguments given = new Arguments(arguments, Map.of());
    return scope -> IsTests.holds(name, value.value(scope), given.placedIn(scope)) != negated;
  }
}
