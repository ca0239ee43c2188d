package dev.kindling.driver.launch;

import dev.kindling.worker.launch.FailureKind;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Which of the contract's failure kinds an exception is. */
final class Failures {
  /** By name: one class of the list is enough in a chain that crossed several rooms. */
  private static final Map<String, FailureKind> KINDS =
      Map.of(
          "PlanException", FailureKind.CONFIGURATION,
          "ConfigException", FailureKind.CONFIGURATION,
          "DataException", FailureKind.DATA,
          "CheckpointException", FailureKind.CHECKPOINT,
          "DeviceException", FailureKind.DEVICE,
          "CollectiveException", FailureKind.COMMUNICATION);

  private Failures() {}

  /** Of the outermost exception in the chain of causes that has a kind. */
  static FailureKind kindOf(Throwable failure) {
    for (Throwable e = failure; e != null; e = e.getCause()) {
      FailureKind kind = KINDS.get(e.getClass().getSimpleName());
      if (kind != null && e.getClass().getName().startsWith("dev.kindling.")) {
        return kind;
      }
    }
    return FailureKind.UNEXPECTED;
  }

  /** Class and message on one line; our own exceptions speak for themselves. */
  static String line(@Nullable Throwable failure) {
    if (failure == null) {
      return "";
    }
    String message = failure.getMessage();
    if (failure.getClass().getName().startsWith("dev.kindling.") && message != null) {
      return message;
    }
    return failure.getClass().getName() + (message == null ? "" : ": " + message);
  }
}
