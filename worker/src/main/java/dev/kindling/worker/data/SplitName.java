package dev.kindling.worker.data;

import java.util.Locale;

/** The two sides of a prepared set. */
public enum SplitName {
  TRAIN,
  VALIDATION;

  /** The word in manifests and file names. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
