package dev.kindling.worker.data;

import dev.kindling.worker.jinja.Template;
import dev.kindling.worker.jinja.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Conversations to text, and where the assistant speaks in it.
 *
 * <p>A template that marks its answers with {@code generation} blocks is believed. From others an
 * answer is what stands between the text up to it with {@code add_generation_prompt}, which is what
 * a model is given when it is asked, and the end of the text with it. That needs both to be the
 * beginning of the whole text; where a template leaves out reasoning once more turns follow, the
 * words alone must stand there, with the same end. Other templates are refused rather than trained
 * on at the wrong places.
 */
final class ChatRenderer {
  private final ChatTemplate template;
  private final Template parsed;

  /**
   * @throws DataException when the template cannot be parsed, naming its file and line
   */
  ChatRenderer(ChatTemplate template) {
    this.template = template;
    try {
      this.parsed = Template.parse(template.source());
    } catch (TemplateException e) {
      throw new DataException(template.origin() + ": " + e.getMessage(), e);
    }
  }

  /** One message; the roles are those of {@link ChatLine}. */
  record Message(String role, String content) {
    private Map<String, Object> variables() {
      Map<String, Object> members = new LinkedHashMap<>();
      members.put(ChatLine.ROLE, role);
      members.put(ChatLine.CONTENT, content);
      return members;
    }
  }

  /**
   * @throws BadLine when the template refuses the conversation
   */
  Transcript transcript(List<Message> messages) {
    try {
      Template.Rendered whole = render(messages, false);
      return new Transcript(
          whole.text(),
          whole.generated().isEmpty() ? answers(whole.text(), messages) : whole.generated());
    } catch (TemplateException e) {
      throw new BadLine(template.origin() + ": " + e.getMessage());
    }
  }

  private List<Template.Span> answers(String whole, List<Message> messages) {
    List<Template.Span> answers = new ArrayList<>();
    for (int k = 0; k < messages.size(); k++) {
      Message message = messages.get(k);
      if (message.role().equals(ChatLine.ASSISTANT)) {
        String asked = render(messages.subList(0, k), true).text();
        String answered =
            k + 1 == messages.size() ? whole : render(messages.subList(0, k + 1), false).text();
        if (answered.startsWith(asked) && whole.startsWith(answered)) {
          int end = end(answered, asked.length(), message.content());
          answers.add(new Template.Span(asked.length(), end));
        } else {
          answers.add(bare(whole, asked, answered, message.content(), k + 1));
        }
      }
    }
    return answers;
  }

  /** Templates of reasoning models show it in the last turn alone: earlier ones are words only. */
  private Template.Span bare(
      String whole, String asked, String answered, String content, int number) {
    String said = content.strip();
    int start = asked.length();
    int found = answered.startsWith(asked) ? answered.indexOf(said, start) : -1;
    if (found >= 0 && whole.startsWith(asked)) {
      String ended = said + answered.substring(found + said.length()).stripTrailing();
      if (whole.startsWith(ended, start)) {
        return new Template.Span(start, start + ended.length());
      }
    }
    throw new BadLine(
        template.origin()
            + ": renders message "
            + number
            + " in another way "
            + (answered.startsWith(asked) ? "when more follow" : "than it asks for it")
            + "; such a template must mark its answers by generation blocks");
  }

  /** White space behind the mark that ends an answer is the template's, not the assistant's. */
  private static int end(String answered, int start, String content) {
    String said = content.strip();
    int found = answered.indexOf(said, start);
    int least = found < 0 ? start : found + said.length();
    int end = answered.length();
    while (end > least && Character.isWhitespace(answered.charAt(end - 1))) {
      end--;
    }
    return end;
  }

  private Template.Rendered render(List<Message> messages, boolean asks) {
    Map<String, Object> variables = new LinkedHashMap<>(template.specialTokens());
    variables.put("messages", messages.stream().map(Message::variables).toList());
    variables.put("add_generation_prompt", asks);
    return parsed.render(variables);
  }
}
