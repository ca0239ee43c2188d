package dev.kindling.driver.launch;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** On which device a model runs that is not being trained. */
public enum DeviceChoice {
  /** On a GPU where one is usable and has kernels and memory for the model, else on the CPU. */
  AUTO,
  CPU,
  /** On a GPU or not at all. */
  CUDA;

  /** As it is written in options and params. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * @throws IllegalArgumentException for a word that {@link #words} has not
   */
  public static DeviceChoice of(String word) {
    return valueOf(word.toUpperCase(Locale.ROOT));
  }

  public static List<String> words() {
    return Arrays.stream(values()).map(DeviceChoice::word).toList();
  }
}
