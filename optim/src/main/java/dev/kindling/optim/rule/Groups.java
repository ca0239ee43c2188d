package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Parameters in groups by name, each with a rule of its own: the first group whose pattern matches
 * counts, {@code rest} updates everything else.
 *
 * <p>All learning rates follow the one schedule. One norm bounds all gradients together, so all
 * rules have the same {@code clip_norm}.
 */
public record Groups(UpdateRule rest, List<Group> groups) implements Optimizer {
  public Groups {
    groups = List.copyOf(groups);
    Expectation errors = new Expectation();
    errors.that(!groups.isEmpty(), "groups", "at least one group", "none");
    for (int i = 0; i < groups.size(); i++) {
      double clip = groups.get(i).rule().clipNorm();
      errors.that(
          clip == rest.clipNorm(),
          "groups." + i + ".rule.clip_norm",
          rest.clipNorm() + " as in rest (one norm bounds all gradients together)",
          clip);
    }
    errors.orThrow();
  }

  @Override
  public double lr() {
    return rest.lr();
  }

  @Override
  public List<UpdateRule> rules() {
    Set<UpdateRule> rules = new LinkedHashSet<>(rest.rules());
    groups.forEach(group -> rules.addAll(group.rule().rules()));
    return List.copyOf(rules);
  }

  @Override
  public UpdateRule ruleOf(Param p) {
    return groups.stream()
        .filter(group -> group.pattern().matches(p.name()))
        .findFirst()
        .map(Group::rule)
        .orElse(rest)
        .ruleOf(p);
  }

  /**
   * A group whose parameters all belong to groups before it is refused too, and a rule for matrices
   * that gets none: it would hand all of its parameters to another rule without a word.
   */
  @Override
  public void check(List<Param> trained) {
    List<String> names = trained.stream().map(Param::name).toList();
    List<String> errors = new ArrayList<>();
    List<Param> left = new ArrayList<>(trained);
    for (int i = 0; i < groups.size(); i++) {
      int number = i;
      String key = "optimizer.groups." + i + ".match: ";
      NamePattern pattern = groups.get(i).pattern();
      List<String> unmatched = pattern.unmatched(names);
      for (String each : unmatched) {
        errors.add(
            key
                + "expected a pattern of trained parameters, \""
                + each
                + "\" matches none; nearest: "
                + String.join(", ", NamePattern.nearest(each, names)));
      }
      List<Param> own = left.stream().filter(p -> pattern.matches(p.name())).toList();
      left.removeAll(own);
      idle(groups.get(i).rule(), own)
          .ifPresent(why -> errors.add("optimizer.groups." + number + ".rule: " + why));
      if (own.isEmpty() && unmatched.isEmpty()) {
        errors.add(
            key
                + "expected a parameter that no group before has, \""
                + groups.get(i).match()
                + "\" matches none");
      }
    }
    idle(rest, left).ifPresent(why -> errors.add("optimizer.rest: " + why));
    if (!errors.isEmpty()) {
      throw new PlanException(String.join("\n", errors));
    }
  }

  private static Optional<String> idle(UpdateRule rule, List<Param> own) {
    return own.isEmpty() || own.stream().anyMatch(p -> rule.ruleOf(p).equals(rule))
        ? Optional.empty()
        : Optional.of(
            "expected a rule for its parameters, "
                + own.get(0).name()
                + " first, found one for hidden matrices, of which it has none");
  }
}
