package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.doctor.Examination;
import dev.kindling.driver.doctor.Finding;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class DoctorCommandTest {
  private static final Finding JAVA = new Finding(Finding.State.OK, "java", "17", "");
  private static final Finding PORTS =
      new Finding(Finding.State.WRONG, "ports", "closed", "open them");
  private static final Finding GPU = new Finding(Finding.State.OK, "gpu", "0: H100", "");
  private static final Finding NO_GPU = new Finding(Finding.State.NOTE, "cuda", "no GPU", "");
  private static final Finding BLAS =
      new Finding(Finding.State.WRONG, "cublasLt", "missing", "install it");

  private final StringWriter out = new StringWriter();
  private final List<String> asked = new ArrayList<>();

  private int run(Examination.Report report, String... arguments) {
    DoctorCommand command =
        new DoctorCommand(
            (runs, cuda) -> {
              asked.add(runs + " " + cuda);
              return report;
            });
    return new CommandLine(command)
        .setOut(new PrintWriter(out, true))
        .setCaseInsensitiveEnumValuesAllowed(true)
        .execute(arguments);
  }

  @Test
  void aMachineWithoutAGpuIsUsableUnlessAGpuIsAskedFor() {
    Examination.Report report = new Examination.Report(List.of(JAVA), List.of(NO_GPU));
    assertThat(run(report)).isZero();
    assertThat(out.toString())
        .isEqualToNormalizingNewlines(
            "ok     java       17\nnote   cuda       no GPU\nusable with device: cpu\n");
    Examination.Report asked =
        new Examination.Report(
            List.of(JAVA), List.of(new Finding(Finding.State.WRONG, "cuda", "no GPU", "buy one")));
    assertThat(run(asked, "--device", "cuda")).isEqualTo(5);
    assertThat(out.toString()).contains("mend: buy one", "not with device: cuda");
    assertThat(run(asked, "--device", "cpu")).isZero();
  }

  @Test
  void aGpuWithAMissingLibraryIsShownAndStopsOnlyWhoAskedForIt() {
    Examination.Report report = new Examination.Report(List.of(JAVA), List.of(GPU, BLAS));
    assertThat(run(report)).isZero();
    assertThat(run(report, "--device=cuda")).isEqualTo(5);
    Examination.Report good = new Examination.Report(List.of(JAVA), List.of(GPU));
    assertThat(run(good, "--device=cuda")).isZero();
    assertThat(out.toString()).endsWith("usable with device: cpu and cuda\n");
  }

  @Test
  void whatStopsEveryRunGivesTheCodeOfAConfiguration() {
    Examination.Report report = new Examination.Report(List.of(JAVA, PORTS), List.of(GPU));
    assertThat(run(report)).isEqualTo(ExitCodes.CONFIGURATION);
    assertThat(run(report, "--device=cuda")).isEqualTo(ExitCodes.CONFIGURATION);
    assertThat(out.toString()).contains("mend: open them", "not usable");
  }

  @Test
  void theFolderAndTheDeviceReachTheExamination() {
    Examination.Report report = new Examination.Report(List.of(JAVA), List.of());
    run(report);
    run(report, "--device", "cuda", "--run-dir", "/shared/runs");
    run(report, "--run-dir", "hdfs://host/runs");
    assertThat(asked).containsExactly("runs false", "/shared/runs true", "hdfs://host/runs false");
  }
}
