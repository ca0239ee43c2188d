package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.ChoiceException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoredChoicesTest {
  private static final String OTHER_SHAPE = "gpu\tlibrary\tlarge\t77\t1.0";

  @TempDir private Path run;
  @TempDir private Path cache;

  /** Chooses what it adopted for one shape, else an algorithm of its own. */
  private static final class Chooser implements Backend {
    private final String own;
    private String adopted = "";
    private String line = "";

    Chooser(String algorithm) {
      this("gpu", algorithm);
    }

    Chooser(String device, String algorithm) {
      own = device + "\tlibrary\tsmall\t" + algorithm + "\t1.0";
    }

    String compile() {
      if (known().contains("\tbroken\t")) {
        throw new ChoiceException("gpu\tlibrary\tsmall", "cannot run small");
      }
      line = known();
      return line;
    }

    private String known() {
      String prefix = own.substring(0, own.indexOf("small"));
      return adopted.lines().filter(l -> l.startsWith(prefix + "small")).findFirst().orElse(own);
    }

    @Override
    public String choices() {
      return line + "\n";
    }

    @Override
    public void adopt(String choices) {
      if (choices.startsWith("damaged")) {
        throw new DeviceException("damaged");
      }
      adopted += choices;
    }

    @Override
    public String name() {
      return "chooser";
    }

    @Override
    public Memory allocate(List<Variable> variables) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long bytesNeeded(List<Variable> variables, List<Graph> programs) {
      throw new UnsupportedOperationException();
    }

    @Override
    public Program compile(Graph graph, Memory memory, Map<Axis, Communicator> communicators) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }

  /** What rank 0 has on its device and rank 1 on another, after both compiled. */
  private List<String> compileOnTwoModels(Path runDir, Path cacheDir, String first, String second)
      throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(2);
    List<Chooser> backends = List.of(new Chooser("gpu", first), new Chooser("other", second));
    ExecutorService ranks = Executors.newFixedThreadPool(2);
    try {
      List<Future<String>> chosen = new ArrayList<>();
      for (int rank = 0; rank < 2; rank++) {
        Chooser backend = backends.get(rank);
        Communicator data = world.get(rank);
        chosen.add(
            ranks.submit(
                () ->
                    new StoredChoices(new LocalStorage(runDir), new LocalStorage(cacheDir))
                        .compile(backend, data, backend::compile)));
      }
      return List.of(chosen.get(0).get(), chosen.get(1).get());
    } finally {
      ranks.shutdownNow();
    }
  }

  private String compile(Path runDir, Path cacheDir, String algorithm) {
    Chooser backend = new Chooser(algorithm);
    try (Communicator alone = LoopbackCommunicator.create(1).get(0)) {
      return new StoredChoices(new LocalStorage(runDir), new LocalStorage(cacheDir))
          .compile(backend, alone, backend::compile);
    }
  }

  @Test
  void aLaterAttemptChoosesAsTheFirstEvenOnAnotherMachine(@TempDir Path otherCache) {
    String first = compile(run, cache, "01");
    assertThat(compile(run, otherCache, "02")).isEqualTo(first).contains("\t01\t");
  }

  @Test
  void anotherRunOnThisMachineChoosesAsTheFirst(@TempDir Path otherRun) throws IOException {
    Files.writeString(cache.resolve(StoredChoices.FILE), OTHER_SHAPE + "\n");
    String first = compile(run, cache, "01");
    assertThat(compile(otherRun, cache, "02")).isEqualTo(first);
    assertThat(Files.readAllLines(cache.resolve(StoredChoices.FILE)))
        .containsExactly(OTHER_SHAPE, first);
    assertThat(Files.readAllLines(run.resolve(StoredChoices.FILE))).containsExactly(first);
  }

  @Test
  void theRunItselfWinsAgainstTheMachine(@TempDir Path otherRun) {
    compile(run, cache, "01");
    String of = compile(otherRun, otherRun, "02");
    assertThat(compile(otherRun, cache, "03")).isEqualTo(of).contains("\t02\t");
  }

  @Test
  void allRanksChooseAsRankZero() throws Exception {
    List<Communicator> world = LoopbackCommunicator.create(3);
    ExecutorService ranks = Executors.newFixedThreadPool(3);
    try {
      List<Future<String>> chosen =
          ranks.invokeAll(
              world.stream()
                  .map(
                      rank ->
                          (java.util.concurrent.Callable<String>)
                              () -> {
                                Chooser backend = new Chooser("0" + rank.rank());
                                return new StoredChoices(
                                        new LocalStorage(run), new LocalStorage(cache))
                                    .compile(backend, rank, backend::compile);
                              })
                  .toList());
      for (Future<String> each : chosen) {
        assertThat(each.get()).contains("\t00\t");
      }
    } finally {
      ranks.shutdownNow();
    }
  }

  @Test
  void whatAnotherModelMeasuredIsStoredAndTakenAgain(@TempDir Path otherRun, @TempDir Path fresh)
      throws Exception {
    List<String> first = compileOnTwoModels(run, cache, "01", "02");
    assertThat(Files.readAllLines(run.resolve(StoredChoices.FILE))).isEqualTo(first);
    assertThat(compileOnTwoModels(run, fresh, "03", "04")).isEqualTo(first);
    assertThat(compileOnTwoModels(otherRun, cache, "05", "06")).isEqualTo(first);
    // A run of the first model alone leaves the other's line for the attempts that need it.
    compile(run, cache, "07");
    assertThat(Files.readAllLines(run.resolve(StoredChoices.FILE))).isEqualTo(first);
  }

  @Test
  void aChoiceThatTheLibraryCannotRunNamesItsFile() throws IOException {
    String broken = "gpu\tlibrary\tsmall\tbroken\t1.0\n";
    Files.writeString(cache.resolve(StoredChoices.FILE), broken);
    assertThatThrownBy(() -> compile(run, cache, "01"))
        .isInstanceOf(DeviceException.class)
        .hasMessage(
            cache.resolve(StoredChoices.FILE)
                + ": cannot run small; without that line it is measured again");
    Files.writeString(run.resolve(StoredChoices.FILE), broken);
    assertThatThrownBy(() -> compile(run, cache, "01"))
        .hasMessageStartingWith(run.resolve(StoredChoices.FILE) + ": cannot run small");
  }

  @Test
  void aDamagedFileIsNamed() throws IOException {
    Files.writeString(run.resolve(StoredChoices.FILE), "damaged");
    assertThatThrownBy(() -> compile(run, cache, "01"))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining(run.resolve(StoredChoices.FILE).toString());
  }
}
