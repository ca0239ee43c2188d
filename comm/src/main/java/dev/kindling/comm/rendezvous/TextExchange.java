package dev.kindling.comm.rendezvous;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.memory.Span;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Texts of any length between ranks that already talk: for agreements outside the step. */
public final class TextExchange {
  private TextExchange() {}

  /** Hands in a text and returns those of all ranks, in rank order. */
  public static List<String> allGather(Communicator communicator, String text) {
    byte[] own = text.getBytes(StandardCharsets.UTF_8);
    int worldSize = communicator.worldSize();
    try (Span length = Span.allocate(Integer.BYTES);
        Span lengths = Span.allocate((long) Integer.BYTES * worldSize)) {
      length.buffer().putInt(0, own.length);
      communicator.allGather(length, lengths);
      int longest = 1;
      for (int rank = 0; rank < worldSize; rank++) {
        longest = Math.max(longest, lengths.buffer().getInt(rank * Integer.BYTES));
      }
      try (Span mine = Span.allocate(longest);
          Span texts = Span.allocate((long) longest * worldSize)) {
        mine.buffer().put(0, own);
        communicator.allGather(mine, texts);
        var all = new ArrayList<String>();
        for (int rank = 0; rank < worldSize; rank++) {
          byte[] bytes = new byte[lengths.buffer().getInt(rank * Integer.BYTES)];
          texts.buffer().get(rank * longest, bytes);
          all.add(new String(bytes, StandardCharsets.UTF_8));
        }
        return all;
      }
    }
  }
}
