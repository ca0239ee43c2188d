package dev.kindling.driver.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ModelCacheTest {
  private final List<String> story = new ArrayList<>();
  private final List<Runnable> later = new ArrayList<>();
  private final ModelCache<String> cache = new ModelCache<>(Recorded::new, later::add);

  private final class Recorded implements TextModel {
    private final String key;

    Recorded(String key) {
      this.key = key;
      story.add("open " + key);
    }

    @Override
    public List<@Nullable Object> results(ModelRequest request, List<PromptedText> texts) {
      return List.of();
    }

    @Override
    public void close() {
      story.add("close " + key);
    }
  }

  @Test
  void tasksShareAModelAndAnIdleOneWaits() {
    TextModel first = cache.acquire("a");
    assertThat(cache.acquire("a")).isSameAs(first);
    cache.release("a");
    assertThat(later).isEmpty();
    cache.release("a");
    assertThat(cache.acquire("a")).isSameAs(first);
    later.get(0).run();
    assertThat(story).containsExactly("open a");
    cache.release("a");
    // A timer of an earlier use must not cut the wait of the newer one short.
    later.get(0).run();
    assertThat(story).containsExactly("open a");
    later.get(1).run();
    assertThat(story).containsExactly("open a", "close a");
  }

  @Test
  void anIdleModelMakesRoomForAnotherAndOneInUseStays() {
    cache.acquire("a");
    cache.acquire("b");
    cache.release("a");
    cache.acquire("c");
    assertThat(story).containsExactly("open a", "open b", "close a", "open c");
  }

  @Test
  void aReleaseTooManyIsRefused() {
    cache.acquire("a");
    cache.release("a");
    assertThatThrownBy(() -> cache.release("a")).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> cache.release("b")).hasMessageEndingWith("b");
  }
}
