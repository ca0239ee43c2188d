package dev.kindling.worker.ledger;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The steps that a run's files hold. A step that was computed several times counts as the newest
 * attempt recorded it.
 *
 * @param damages one line for each file that is damaged; what stands before the damage counts
 */
public record LedgerHistory(SortedMap<Long, LedgerStep> steps, List<String> damages) {
  /** Folder inside the run folder. */
  public static final String FOLDER = "ledger";

  /** All steps of all attempts. */
  public static LedgerHistory read(Path runDir) throws IOException {
    return of(files(runDir, 0, new ArrayList<>()));
  }

  /**
   * Steps later than {@code after} of attempts on this trajectory: what another attempt on it must
   * compute again bit for bit.
   */
  public static LedgerHistory read(Path runDir, long after, String trajectory) throws IOException {
    Found found = files(runDir, after, new ArrayList<>());
    List<LedgerFile> same =
        found.files().stream().filter(f -> f.header().trajectory().equals(trajectory)).toList();
    return of(new Found(same, found.damages()));
  }

  /** All files that can be read, whoever wrote them. */
  static List<LedgerFile> files(Path runDir) throws IOException {
    return files(runDir, 0, new ArrayList<>()).files();
  }

  private record Found(List<LedgerFile> files, List<String> damages) {}

  private static Found files(Path runDir, long after, List<String> damages) throws IOException {
    Path folder = runDir.resolve(FOLDER);
    List<LedgerFile> files = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
        for (Path path : stream) {
          if (LedgerHeader.isName(String.valueOf(path.getFileName())) && Files.size(path) > 0) {
            read(path, after, files, damages);
          }
        }
      }
    }
    files.forEach(file -> file.damage().ifPresent(damages::add));
    return new Found(files, damages);
  }

  private static void read(Path path, long after, List<LedgerFile> files, List<String> damages)
      throws IOException {
    try {
      files.add(LedgerFile.read(path, after));
    } catch (IllegalArgumentException damaged) {
      damages.add(String.valueOf(damaged.getMessage()));
    }
  }

  private static LedgerHistory of(Found found) {
    Map<Long, Map<Integer, List<LedgerFile>>> attempts = new TreeMap<>();
    for (LedgerFile file : found.files()) {
      attempts
          .computeIfAbsent(file.header().epoch(), epoch -> new TreeMap<>())
          .computeIfAbsent(file.header().segment(), segment -> new ArrayList<>())
          .add(file);
    }
    SortedMap<Long, LedgerStep> steps = new TreeMap<>();
    // Ascending, so that newer ones replace older ones.
    attempts.values().forEach(segments -> segments.values().forEach(files -> add(files, steps)));
    return new LedgerHistory(steps, List.copyOf(found.damages()));
  }

  /** Rank 0 says what was computed; the samples of a step are those of all ranks or unknown. */
  private static void add(List<LedgerFile> files, SortedMap<Long, LedgerStep> steps) {
    files.sort(Comparator.comparingInt(file -> file.header().rank()));
    LedgerFile first = files.get(0);
    if (first.header().rank() != 0) {
      return;
    }
    Map<Long, Long> samples = new HashMap<>();
    Map<Long, Integer> heard = new HashMap<>();
    for (LedgerFile file : files) {
      for (LedgerLine line : file.lines()) {
        samples.merge(line.step(), line.samples(), Long::sum);
        heard.merge(line.step(), 1, Integer::sum);
      }
    }
    for (LedgerLine line : first.lines()) {
      boolean whole = heard.getOrDefault(line.step(), 0) == first.header().ranks();
      steps.put(
          line.step(),
          new LedgerStep(
              line.step(),
              line.lossBits(),
              line.gradNormBits(),
              whole ? OptionalLong.of(samples.getOrDefault(line.step(), 0L)) : OptionalLong.empty(),
              first.header().epoch()));
    }
  }

  /**
   * Head of the chain after a step, computed from the lines.
   *
   * @return empty if a step up to there is missing, or the samples of one
   */
  public java.util.Optional<String> head(long step) {
    LedgerChain chain = LedgerChain.begin();
    for (long next = 1; next <= step; next++) {
      LedgerStep line = steps.get(next);
      if (line == null || line.samples().isEmpty()) {
        return java.util.Optional.empty();
      }
      chain.add(next, line.lossBits(), line.gradNormBits(), line.samples().getAsLong());
    }
    return java.util.Optional.of(chain.head());
  }
}
