package dev.kindling.comm.rendezvous;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/**
 * Before step 1 all ranks compare what they are about to send each other, so that ranks with
 * different plans end with a message and not with a hang in the middle of step 1.
 */
public final class FingerprintCheck {
  private FingerprintCheck() {}

  /**
   * Returns if all ranks of {@code communicator} pass an equal {@code fingerprint}, one line per
   * collective or a hash of them.
   *
   * @throws CollectiveException on every rank otherwise, naming the ranks of each variant and the
   *     first line in which the variants differ
   */
  public static void check(Communicator communicator, String fingerprint) {
    List<String> all = TextExchange.allGather(communicator, fingerprint);
    var ranks = new LinkedHashMap<String, List<Integer>>();
    for (int rank = 0; rank < all.size(); rank++) {
      ranks.computeIfAbsent(all.get(rank), key -> new ArrayList<>()).add(rank);
    }
    if (ranks.size() > 1) {
      throw new CollectiveException(describe(ranks));
    }
  }

  private static String describe(LinkedHashMap<String, List<Integer>> ranks) {
    var variants = List.copyOf(ranks.keySet());
    int line = firstDifference(variants);
    var text =
        new StringBuilder("ranks disagree on their sequence of collectives, first at line ")
            .append(line + 1);
    for (String variant : variants) {
      text.append("; ranks ").append(ranks.get(variant)).append(": ").append(line(variant, line));
    }
    return text.toString();
  }

  private static int firstDifference(List<String> variants) {
    int line = 0;
    while (true) {
      String first = line(variants.get(0), line);
      for (String variant : variants) {
        if (!line(variant, line).equals(first)) {
          return line;
        }
      }
      line++;
    }
  }

  private static String line(String text, int index) {
    List<String> lines = List.of(text.split("\n", -1));
    return index < lines.size() ? '"' + lines.get(index) + '"' : "nothing (it ends before)";
  }
}
