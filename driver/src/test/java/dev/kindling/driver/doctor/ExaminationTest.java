package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.store.StorageLocation;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExaminationTest {
  @TempDir private Path runs;
  private final FakeMachine machine = new FakeMachine();

  private Examination.Report examine(boolean cuda) throws InterruptedException {
    return new Examination(machine).examine(new StorageLocation(runs.toString()), cuda);
  }

  private static Finding finding(Examination.Report report, String subject) {
    return Stream.concat(report.base().stream(), report.device().stream())
        .filter(finding -> finding.subject().equals(subject))
        .findFirst()
        .orElseThrow(() -> new AssertionError("nothing about " + subject + " in " + report));
  }

  private void wrong(String subject, String text, String mend) throws InterruptedException {
    Finding finding = finding(examine(true), subject);
    assertThat(finding.state()).as(finding.line()).isEqualTo(Finding.State.WRONG);
    assertThat(finding.text()).contains(text);
    assertThat(finding.mend()).contains(mend);
  }

  private void note(String subject, String text) throws InterruptedException {
    Finding finding = finding(examine(true), subject);
    assertThat(finding.state()).as(finding.line()).isEqualTo(Finding.State.NOTE);
    assertThat(finding.text()).contains(text);
  }

  @Test
  void aMachineInGoodOrderHasNothingWrong() throws InterruptedException {
    Examination.Report report = examine(true);
    assertThat(Stream.concat(report.base().stream(), report.device().stream()))
        .allMatch(finding -> finding.state() == Finding.State.OK)
        .allMatch(finding -> finding.mend().isEmpty())
        .extracting(Finding::subject)
        .containsExactly(
            "java",
            "spark",
            "memory",
            "ports",
            "name",
            "security",
            "storage",
            "files",
            "openblas",
            "shm",
            "driver",
            "gpu",
            "gpu",
            "kernels",
            "cudart",
            "cublasLt",
            "nvrtc",
            "nccl",
            "peers");
    assertThat(report.cpu()).isTrue();
    assertThat(report.cuda()).isTrue();
    assertThat(finding(report, "gpu").line())
        .isEqualTo(
            "ok     gpu        0: NVIDIA H100, compute capability 9.0, 79.0 of 80.0 GiB free");
  }

  @Test
  void aMachineWithoutAGpuIsGoodForTheCpuUnlessAGpuIsWanted() throws InterruptedException {
    machine.device = DeviceFacts.none("cuda: the driver cannot be loaded; expected libcuda.so.1");
    Examination.Report unasked = examine(false);
    assertThat(unasked.device())
        .singleElement()
        .returns(Finding.State.NOTE, Finding::state)
        .returns(
            "no GPU: cpu only (the driver cannot be loaded; expected libcuda.so.1)", Finding::text);
    assertThat(unasked.cpu()).isTrue();
    Examination.Report wanted = examine(true);
    assertThat(wanted.cpu()).isTrue();
    assertThat(wanted.cuda()).isFalse();
    wrong("cuda", "libcuda.so.1 (the kernel's driver shows 0 GPU(s))", "R580");
  }

  @Test
  void withoutTheBindingsNoProbeIsStarted() throws InterruptedException {
    machine.bindings = false;
    wrong(
        "cuda", "bindings are not on the class path; expected kindling-cuda-VERSION.jar", "driver");
  }

  @Test
  void whatEveryRunNeedsIsNamedWithItsMend() throws InterruptedException {
    machine.javaVersion = "11.0.2";
    wrong("java", "11.0.2", "JDK 17");
    machine.sparkVersion = "3.5.1";
    wrong("spark", "3.5.1, expected 4.1 or 4.2", "SPARK_HOME");
    machine.sparkVersion = "";
    wrong("spark", "not on the class path", "SPARK_HOME");
    machine.listens = false;
    wrong("ports", "Network is unreachable", "lo interface");
    assertThat(examine(true).cpu()).isFalse();
  }

  @Test
  void scarceMemoryIsNotedAndStopsNobody() throws InterruptedException {
    machine.memoryBytes = 2L << 30;
    note("memory", "2.0 GiB");
    machine.sharedMemoryBytes = -1;
    note("shm", "cannot be written");
    machine.sharedMemoryBytes = 100L << 20;
    note("shm", "100 MiB");
    assertThat(examine(true).cuda()).isTrue();
    machine.device = FakeMachine.good(1);
    assertThat(finding(examine(true), "shm").state()).isEqualTo(Finding.State.OK);
  }

  @Test
  void aClusterThatIsOpenOrCannotConnectIsNamed() throws InterruptedException {
    machine.openDoors = List.of("yarn is no master of this machine alone");
    wrong("security", "yarn is no master", "--properties-file");
    assertThat(examine(false).cpu()).isFalse();
    machine.openDoors = List.of();
    machine.address = "host/127.0.1.1";
    note("name", "other machines cannot connect");
    machine.master = "local-cluster[1,2,1024]";
    assertThat(finding(examine(false), "name").state()).isEqualTo(Finding.State.OK);
    machine.master = "";
    assertThat(finding(examine(false), "security").text()).isEqualTo("own master, closed");
  }

  @Test
  void fewFilesAreNotedAndAnIdOfNcclIsRefused() throws InterruptedException {
    machine.openFiles = 1024;
    note("files", "1024 may be open");
    machine.variable = "NCCL_COMM_ID";
    wrong("nccl id", "NCCL_COMM_ID is set", "unset NCCL_COMM_ID");
    assertThat(examine(true).cpu()).isTrue();
    assertThat(examine(true).cuda()).isFalse();
  }

  @Test
  void slowMatrixProductsAreNoted() throws InterruptedException {
    assertThat(finding(examine(false), "openblas").state()).isEqualTo(Finding.State.OK);
    machine.matrixProduct = "java";
    note("openblas", "does not load");
    assertThat(examine(false).cpu()).isTrue();
  }

  @Test
  void aLibraryIsWrongOnlyWhereItIsNeeded() throws InterruptedException {
    DeviceFacts two = FakeMachine.good(2);
    machine.device = FakeMachine.without(two, "cublasLt", true);
    wrong("cublasLt", "cannot open shared object file", "LD_LIBRARY_PATH");
    machine.device = FakeMachine.without(two, "nccl", true);
    wrong("nccl", "libnccl.so", "LD_LIBRARY_PATH");
    machine.device = FakeMachine.without(FakeMachine.good(1), "nccl", true);
    note("nccl", "not needed here");
    machine.device = FakeMachine.without(two, "nvrtc", true);
    note("nvrtc", "not needed here");
    machine.device = FakeMachine.without(two, "nvrtc", false);
    wrong("nvrtc", "libnvrtc.so", "LD_LIBRARY_PATH");
  }

  @Test
  void gpusWithoutPeerAccessAreNamed() throws InterruptedException {
    DeviceFacts good = FakeMachine.good(2);
    machine.device =
        new DeviceFacts(
            "13.0", "", good.gpus(), good.libraries(), Map.of(), List.of("0 and 1"), true);
    note("peers", "no peer access between GPUs 0 and 1");
  }

  @Test
  void thisMachineIsExaminedWithoutAFailure() throws InterruptedException {
    Examination.Report report =
        new Examination(List::of).examine(new StorageLocation(runs.toString()), false);
    assertThat(report.cpu()).as(report.toString()).isTrue();
    assertThat(finding(report, "spark").text()).startsWith("4.");
    assertThat(report.device()).isNotEmpty();
  }
}
