package dev.kindling.kernels.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final List<String> closed = new ArrayList<>();

  private AutoCloseable part(String name) {
    return () -> closed.add(name);
  }

  private AutoCloseable broken(String name, Exception failure) {
    return () -> {
      closed.add(name);
      throw failure;
    };
  }

  @Test
  void everyPartIsClosedAndTheFirstFailureIsTold() {
    IllegalStateException first = new IllegalStateException("first");
    IOException second = new IOException("second");
    assertThatThrownBy(
            () ->
                Closing.all(List.of(part("a"), broken("b", first), broken("c", second), part("d"))))
        .isSameAs(first)
        .satisfies(
            e -> {
              assertThat(e.getSuppressed()).hasSize(1);
              assertThat(e.getSuppressed()[0]).hasCause(second);
            });
    assertThat(closed).containsExactly("a", "b", "c", "d");
  }

  @Test
  void oneFailureOfSeveralPartsIsToldOnce() {
    IllegalStateException sticky = new IllegalStateException("sticky");
    assertThatThrownBy(() -> Closing.all(List.of(broken("a", sticky), broken("b", sticky))))
        .isSameAs(sticky);
    assertThat(closed).containsExactly("a", "b");
  }

  @Test
  void whatGoesWrongAfterAFailureDoesNotHideIt() {
    RuntimeException failure = new RuntimeException("cannot open");
    Closing.after(failure, broken("a", new IllegalStateException("nor close")));
    Closing.after(failure, part("b"));
    assertThat(failure.getSuppressed()).hasSize(1);
    assertThat(closed).containsExactly("a", "b");
  }
}
