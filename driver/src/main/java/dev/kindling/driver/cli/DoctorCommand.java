package dev.kindling.driver.cli;

import dev.kindling.driver.doctor.Examination;
import dev.kindling.driver.doctor.Finding;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.plan.Device;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code doctor}: one line a finding; the exit code says whether a run can work here. */
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    description = {
      "Looks at Java, Spark and its security, memory, ports, storage, limits, GPUs and their",
      "libraries; names the mends. Spark's settings count as spark-submit would give them to a"
          + " run.",
      "Exit code 0 if a run on the CPU (--device cuda: on a GPU) can work here, else 2 or 5."
    })
final class DoctorCommand implements Callable<Integer> {
  /** Examines a machine; tests make one up. */
  @FunctionalInterface
  interface Examiner {
    Examination.Report examine(StorageLocation runs, boolean cuda) throws InterruptedException;
  }

  @Spec private CommandSpec spec;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "cpu or cuda: what must be usable; default: cpu, GPUs are only shown.")
  private Optional<Device> device = Optional.empty();

  @Option(
      names = "--run-dir",
      paramLabel = "DIR",
      description = "Folder or URI for runs that is examined; default: runs.")
  private String runDir = "runs";

  private final Examiner examiner;

  DoctorCommand(Examiner examiner) {
    this.examiner = examiner;
  }

  @Override
  public Integer call() throws InterruptedException {
    boolean cuda = device.filter(Device.CUDA::equals).isPresent();
    Examination.Report report = examiner.examine(StorageLocation.of(runDir), cuda);
    PrintWriter out = spec.commandLine().getOut();
    Stream.concat(report.base().stream(), report.device().stream())
        .map(Finding::line)
        .forEach(out::println);
    if (!report.cpu()) {
      out.println("not usable: see what is wrong above");
      return ExitCodes.CONFIGURATION;
    }
    if (cuda && !report.cuda()) {
      out.println("usable with device: cpu, not with device: cuda");
      return FailureKind.DEVICE.exitCode();
    }
    out.println(
        report.cuda() && shows(report)
            ? "usable with device: cpu and cuda"
            : "usable with device: cpu");
    return ExitCodes.DONE;
  }

  private static boolean shows(Examination.Report report) {
    return report.device().stream().anyMatch(finding -> finding.subject().equals("gpu"));
  }
}
