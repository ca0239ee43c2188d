package dev.kindling.worker.generate;

import dev.kindling.kernels.graph.PlanException;
import java.util.List;
import java.util.Set;

/**
 * What is to be written, and how.
 *
 * @param prompts token ids to go on from, each at least one
 * @param tokens number of tokens to add to each prompt
 * @param choices only ids below this are chosen: a vocabulary may have rows that no token uses
 * @param ends ids that end a text and are not part of it
 */
public record SampleRequest(
    List<int[]> prompts, int tokens, Sampling sampling, int choices, Set<Integer> ends) {
  public SampleRequest {
    prompts = List.copyOf(prompts);
    ends = Set.copyOf(ends);
    if (tokens < 0) {
      throw new PlanException("tokens: expected 0 or more, found " + tokens);
    }
  }

  /**
   * @param end the one id that ends a text, negative for none
   */
  public SampleRequest(List<int[]> prompts, int tokens, Sampling sampling, int choices, int end) {
    this(prompts, tokens, sampling, choices, end < 0 ? Set.of() : Set.of(end));
  }

  /** One prompt. */
  public static SampleRequest of(
      int[] prompt, int tokens, Sampling sampling, int choices, int end) {
    return new SampleRequest(List.of(prompt), tokens, sampling, choices, end);
  }

  /**
   * @throws PlanException if a prompt is empty or has an id that the vocabulary has not
   */
  void check(int vocabulary) {
    for (int i = 0; i < prompts.size(); i++) {
      String where = prompts.size() == 1 ? "prompt" : "prompt " + i;
      if (prompts.get(i).length == 0) {
        throw new PlanException(where + ": expected at least one token, found none");
      }
      for (int id : prompts.get(i)) {
        if (id < 0 || id >= vocabulary) {
          throw new PlanException(
              where + ": expected token ids below " + vocabulary + ", found " + id);
        }
      }
    }
    if (choices < 1 || choices > vocabulary) {
      throw new PlanException(
          "expected 1 to " + vocabulary + " ids to choose from, found " + choices);
    }
  }
}
