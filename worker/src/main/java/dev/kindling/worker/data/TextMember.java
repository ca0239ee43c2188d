package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The text of a string member. */
record TextMember(String field) implements LineContent {
  @Override
  public byte[] document(Json line) {
    Map<String, Json> members = line instanceof Json.Obj object ? object.members() : Map.of();
    if (!(members.get(field) instanceof Json.Text text) || text.value().isEmpty()) {
      throw new BadLine(
          "expected an object with a text in member \""
              + field
              + "\", found "
              + (line instanceof Json.Obj ? "members " + members.keySet() : "no object"));
    }
    LineContent.refuseNul(text.value());
    return text.value().getBytes(StandardCharsets.UTF_8);
  }
}
