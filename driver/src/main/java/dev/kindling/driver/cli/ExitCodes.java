package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.store.OutageException;
import java.io.PrintWriter;
import java.util.List;

/** Exit codes of the contract, and which failures a user understands without a stack trace. */
public final class ExitCodes {
  public static final int DONE = 0;
  public static final int UNEXPECTED = FailureKind.UNEXPECTED.exitCode();
  public static final int CONFIGURATION = FailureKind.CONFIGURATION.exitCode();

  /** No failure: what {@code diff-runs} found. */
  public static final int DIFFERENT = 7;

  public static final int INTERRUPTED = 130;

  private record Known(Class<? extends Throwable> type, FailureKind kind) {}

  private static final List<Known> KNOWN =
      List.of(
          new Known(ConfigException.class, FailureKind.CONFIGURATION),
          new Known(PlanException.class, FailureKind.CONFIGURATION),
          new Known(DataException.class, FailureKind.DATA),
          new Known(InputException.class, FailureKind.DATA),
          new Known(CheckpointException.class, FailureKind.CHECKPOINT),
          new Known(DeviceException.class, FailureKind.DEVICE),
          new Known(CollectiveException.class, FailureKind.COMMUNICATION),
          new Known(OutageException.class, FailureKind.COMMUNICATION));

  private ExitCodes() {}

  /** 1 for a failure of no known kind. */
  public static int of(Throwable failure) {
    if (failure instanceof AttemptFailedException attempt) {
      return attempt.kind().exitCode();
    }
    if (failure instanceof InterruptedException) {
      return INTERRUPTED;
    }
    return KNOWN.stream()
        .filter(k -> k.type().isInstance(failure))
        .findFirst()
        .map(k -> k.kind().exitCode())
        .orElse(UNEXPECTED);
  }

  /** Prints a known failure as its message and an unexpected one with its stack trace. */
  static int report(Throwable failure, PrintWriter err) {
    int code = of(failure);
    if (failure instanceof ConfigException) {
      err.println(failure.getMessage()); // Each line says where it is wrong.
    } else if (failure instanceof InterruptedException) {
      err.println("kindling: interrupted");
    } else if (code == UNEXPECTED) {
      err.println("kindling: unexpected failure (a bug; please report what follows)");
      failure.printStackTrace(err);
    } else {
      err.println("kindling: " + failure.getMessage());
    }
    err.flush();
    return code;
  }
}
