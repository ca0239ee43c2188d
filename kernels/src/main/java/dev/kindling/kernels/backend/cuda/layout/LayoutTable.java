package dev.kindling.kernels.backend.cuda.layout;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import java.util.Locale;

/** A layout as a page of text. */
final class LayoutTable {
  private LayoutTable() {}

  static String of(Layout layout) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < layout.groups().size(); i++) {
      Group group = layout.groups().get(i);
      text.append(String.format(Locale.ROOT, "%4d %s%n", i, group.kind()));
      for (Node node : group.nodes()) {
        text.append("       ").append(node.op()).append(' ').append(node.inputs()).append('\n');
        node.outputs().forEach(output -> text.append(line(layout, output)));
      }
    }
    return text.append("activations ")
        .append(layout.activationBytes())
        .append(" bytes\n")
        .toString();
  }

  private static String line(Layout layout, Value value) {
    if (!layout.isStored(value)) {
      return String.format(Locale.ROOT, "         %s %s not stored%n", value, value.type());
    }
    Stored stored = layout.stored(value);
    Variable variable = layout.variableOf(value);
    return String.format(
        Locale.ROOT,
        "         %s %s %s stride %d in %s%n",
        value,
        value.type(),
        stored.element(),
        stored.rowStride(),
        variable == null ? layout.placeOf(value) : variable.name());
  }
}
