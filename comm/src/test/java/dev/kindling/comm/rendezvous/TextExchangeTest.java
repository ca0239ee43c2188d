package dev.kindling.comm.rendezvous;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.World;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TextExchangeTest {
  @ParameterizedTest
  @EnumSource
  void textsOfAnyLengthArriveInRankOrder(World world) {
    List<String> texts = List.of("", "a", "\u4e2d\u6587 and \u00e4\n", "long ".repeat(50_000));
    for (int worldSize = 1; worldSize <= texts.size(); worldSize++) {
      int ranks = worldSize;
      world.runAll(
          ranks,
          communicator -> {
            List<String> found =
                TextExchange.allGather(communicator, texts.get(communicator.rank()));
            assertThat(found).isEqualTo(texts.subList(0, ranks));
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingFromAnybodyIsNothing(World world) {
    world.runAll(
        3, communicator -> assertThat(TextExchange.allGather(communicator, "")).containsOnly(""));
  }
}
