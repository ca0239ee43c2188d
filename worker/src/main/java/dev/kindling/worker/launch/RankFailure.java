package dev.kindling.worker.launch;

import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.store.OutageException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Why a rank ended, in a form that survives any wire as text: {@link #encode} may be buried in
 * other text, such as Spark's message about a failed task, and {@link #decode} still finds it.
 *
 * @param rank that failed
 * @param message one or more lines for people
 * @param trace stack trace, empty for failures that the user can mend
 */
public record RankFailure(FailureKind kind, int rank, String message, String trace) {
  private static final String BEGIN = "<<kindling-failure ";
  private static final String END = " kindling-failure>>";

  public static RankFailure of(int rank, Throwable failure) {
    FailureKind kind = kind(failure);
    String message = failure.getMessage() == null ? failure.toString() : failure.getMessage();
    if (kind == FailureKind.UNEXPECTED) {
      message = failure.getClass().getSimpleName() + ": " + message;
    }
    StringWriter trace = new StringWriter();
    failure.printStackTrace(new PrintWriter(trace));
    return new RankFailure(kind, rank, message, trace.toString());
  }

  private static FailureKind kind(Throwable failure) {
    if (failure instanceof ConfigException || failure instanceof PlanException) {
      return FailureKind.CONFIGURATION;
    }
    if (failure instanceof DataException || failure instanceof InputException) {
      return FailureKind.DATA;
    }
    if (failure instanceof CheckpointException) {
      return FailureKind.CHECKPOINT;
    }
    if (failure instanceof DeviceException) {
      return FailureKind.DEVICE;
    }
    return failure instanceof CollectiveException || failure instanceof OutageException
        ? FailureKind.COMMUNICATION
        : FailureKind.UNEXPECTED;
  }

  /**
   * The failure to show for an attempt: first what no retry can mend, last what a rank says whose
   * peer went away; then the lowest rank.
   */
  public static Optional<RankFailure> mostTelling(List<RankFailure> failures) {
    return failures.stream()
        .min(
            Comparator.comparing((RankFailure f) -> f.kind().retryable())
                .thenComparing(f -> f.kind() == FailureKind.COMMUNICATION)
                .thenComparing(f -> f.kind() == FailureKind.UNEXPECTED)
                .thenComparingInt(RankFailure::rank));
  }

  public AttemptFailedException toException() {
    String detail = kind == FailureKind.UNEXPECTED && !trace.isEmpty() ? "\n" + trace : "";
    return new AttemptFailedException(kind, rank, "rank " + rank + ": " + message + detail, null);
  }

  public String encode() {
    return BEGIN
        + kind.name().toLowerCase(Locale.ROOT)
        + " "
        + rank
        + " "
        + message.length()
        + " "
        + message
        + trace
        + END;
  }

  /** The first encoded failure in the text. */
  public static Optional<RankFailure> decode(String text) {
    int begin = text.indexOf(BEGIN);
    int end = begin < 0 ? -1 : text.indexOf(END, begin);
    if (end < 0) {
      return Optional.empty();
    }
    String body = text.substring(begin + BEGIN.length(), end);
    int afterKind = body.indexOf(' ');
    int afterRank = body.indexOf(' ', afterKind + 1);
    int afterLength = body.indexOf(' ', afterRank + 1);
    try {
      int length = Integer.parseInt(body.substring(afterRank + 1, afterLength));
      int split = afterLength + 1 + length;
      return Optional.of(
          new RankFailure(
              FailureKind.valueOf(body.substring(0, afterKind).toUpperCase(Locale.ROOT)),
              Integer.parseInt(body.substring(afterKind + 1, afterRank)),
              body.substring(afterLength + 1, split),
              body.substring(split)));
    } catch (IllegalArgumentException | StringIndexOutOfBoundsException notOurs) {
      return Optional.empty();
    }
  }
}
