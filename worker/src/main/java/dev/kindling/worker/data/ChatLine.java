package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A conversation, {@code {"messages": [{"role": ..., "content": ...}, ...]}}, or a pair, {@code
 * {"prompt": ..., "completion": ...}}. Its document is the same as compact JSON in this order of
 * members, so that equal examples have equal hashes however their lines were written; other members
 * of the line and of its messages are left out.
 */
record ChatLine() implements LineContent {
  static final String MESSAGES = "messages";
  static final String PROMPT = "prompt";
  static final String COMPLETION = "completion";
  static final String ROLE = "role";
  static final String CONTENT = "content";
  static final String ASSISTANT = "assistant";
  private static final Set<String> ROLES = Set.of("system", "user", ASSISTANT);

  @Override
  public byte[] document(Json line) {
    if (!(line instanceof Json.Obj object)) {
      throw new BadLine("expected an object, found " + line.kind());
    }
    if (object.find(MESSAGES).isPresent()) {
      return Json.object().put(MESSAGES, messages(object.get(MESSAGES))).build().bytes();
    }
    if (object.find(PROMPT).isPresent() && object.find(COMPLETION).isPresent()) {
      String completion = text(object, COMPLETION);
      if (completion.isEmpty()) {
        throw new BadLine("completion: expected text, found an empty one");
      }
      return Json.object()
          .put(PROMPT, text(object, PROMPT))
          .put(COMPLETION, completion)
          .build()
          .bytes();
    }
    throw new BadLine(
        "expected \"messages\" or \"prompt\" and \"completion\", found members "
            + object.members().keySet());
  }

  private static Json messages(Json given) {
    if (!(given instanceof Json.Arr list) || list.items().isEmpty()) {
      throw new BadLine("messages: expected a list of messages, found none");
    }
    List<Json> messages = new ArrayList<>();
    boolean answered = false;
    for (int k = 0; k < list.items().size(); k++) {
      String where = "message " + (k + 1) + ": ";
      if (!(list.items().get(k) instanceof Json.Obj message)) {
        throw new BadLine(where + "expected an object, found " + list.items().get(k).kind());
      }
      String role = text(message, ROLE);
      if (!ROLES.contains(role)) {
        throw new BadLine(
            where + "role: expected system, user or assistant, found \"" + role + "\"");
      }
      answered |= role.equals(ASSISTANT);
      messages.add(Json.object().put(ROLE, role).put(CONTENT, text(message, CONTENT)).build());
    }
    if (!answered) {
      throw new BadLine("messages: expected one of the assistant, found none");
    }
    return Json.of(messages);
  }

  private static String text(Json.Obj object, String member) {
    if (!(object.find(member).orElse(null) instanceof Json.Text text)) {
      throw new BadLine(
          member
              + ": expected a string, found "
              + object.find(member).map(Json::kind).orElse("none"));
    }
    LineContent.refuseNul(text.value());
    return text.value();
  }
}
