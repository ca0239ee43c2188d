package dev.kindling.worker.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A refactoring keeps the loss of 20 steps bit for bit, on every CPU: the pure Java matrix product
 * and all row kernels fold in a fixed order.
 *
 * <p>A change that alters numerics on purpose says so in its title and writes the list anew: {@code
 * mvn -pl worker -am test -Dtest=GoldenLossTest -Dsurefire.failIfNoSpecifiedTests=false
 * -Dgolden.write=true}. That run writes the file and fails, so that it is never mistaken for a
 * check.
 */
class GoldenLossTest {
  private static final Path FILE =
      Path.of("src/test/resources/dev/kindling/worker/model/golden-losses.txt");

  @Test
  void twentyStepsGiveTheStoredLossBits() throws IOException {
    List<String> found = GoldenLosses.lines(GoldenLosses.STEPS);
    if (Boolean.getBoolean("golden.write")) {
      Files.write(FILE, found, StandardCharsets.US_ASCII);
      throw new AssertionError("golden losses written anew: read the diff and commit it");
    }
    assertThat(found).isEqualTo(Files.readAllLines(FILE, StandardCharsets.US_ASCII));
  }

  @Test
  void everyModelLearnsInTheStoredList() throws IOException {
    List<String> stored = Files.readAllLines(FILE, StandardCharsets.US_ASCII);
    assertThat(stored).hasSize(GoldenLosses.MODELS * GoldenLosses.STEPS);
    for (int first = 0; first < stored.size(); first += GoldenLosses.STEPS) {
      float last = loss(stored.get(first + GoldenLosses.STEPS - 1));
      assertThat(last).as(stored.get(first)).isLessThan(loss(stored.get(first)) - 0.5f);
    }
  }

  private static float loss(String line) {
    return Float.parseFloat(line.substring(line.lastIndexOf(' ') + 1));
  }

  @Test
  void narrowerVectorsGiveTheSameBits() throws IOException, InterruptedException {
    assertForkGivesTheStoredBits(
        GoldenLosses.STEPS, "--add-modules=jdk.incubator.vector", "-XX:UseAVX=2");
  }

  @Test
  void plainJavaKernelsGiveTheSameBits() throws IOException, InterruptedException {
    assertForkGivesTheStoredBits(GoldenLosses.STEPS);
  }

  /** Two steps only: without a fused multiply-add instruction the JDK computes it in BigDecimal. */
  @Test
  @Tag("long")
  void codeWithoutVectorInstructionsGivesTheSameBits() throws IOException, InterruptedException {
    assertForkGivesTheStoredBits(2, "-XX:UseAVX=0");
  }

  private static void assertForkGivesTheStoredBits(int steps, String... flags)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:+IgnoreUnrecognizedVMOptions");
    command.addAll(List.of(flags));
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(GoldenLosses.class.getName());
    command.add(Integer.toString(steps));
    Path errors = Files.createTempFile("golden", ".txt");
    try {
      Process process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
      List<String> found =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
              .lines()
              .toList();
      assertThat(process.waitFor()).as(Files.readString(errors)).isZero();
      assertThat(found).isEqualTo(stored(steps));
    } finally {
      Files.delete(errors);
    }
  }

  /** The stored lines of the first steps of every model. */
  private static List<String> stored(int steps) throws IOException {
    List<String> all = Files.readAllLines(FILE, StandardCharsets.US_ASCII);
    List<String> lines = new ArrayList<>();
    for (int first = 0; first < all.size(); first += GoldenLosses.STEPS) {
      lines.addAll(all.subList(first, first + steps));
    }
    return lines;
  }
}
