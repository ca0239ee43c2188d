package dev.kindling.kernels.backend.cuda.image;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What is wrong when a native library does not load, out of what its loaders say. */
public final class MissingLibrary {
  /** As the system's loader says it; before it stands the path of the binding that needs it. */
  private static final Pattern LOADER =
      Pattern.compile("([^\\s:/]+): (cannot open shared object file|version `[^']+' not found)");

  private MissingLibrary() {}

  /**
   * The library that the system's loader misses, wherever its words are buried; else the first line
   * of the lowest cause.
   */
  public static String reason(Throwable failure) {
    Throwable lowest = failure;
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      Optional<String> told = told(String.valueOf(cause.getMessage()));
      if (told.isPresent()) {
        return told.get();
      }
      lowest = cause;
    }
    return String.valueOf(lowest).lines().findFirst().orElse("");
  }

  private static Optional<String> told(String text) {
    Matcher words = LOADER.matcher(text);
    return words.find() ? Optional.of(words.group(1) + ": " + words.group(2)) : Optional.empty();
  }
}
