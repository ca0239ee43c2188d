package dev.kindling.driver.cli;

import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import dev.kindling.worker.store.StorageInput;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The log files of a run's ranks as one text in the order of time. Not thread-safe. */
final class RunLogs {
  private static final String FOLDER = "logs";
  private static final Pattern FILE = Pattern.compile("rank-(\\d+)\\.log");

  /** Every line begins with a time of this length, but for words about the files. */
  private static final Pattern TIMED = Pattern.compile("\\d{4}-\\d\\d-\\d\\dT[\\d:.]{12}Z .*");

  private static final int TIME_CHARS = 24;

  private final Storage storage;
  private final Optional<Integer> only;

  /** How far each rank's file was read. */
  private final Map<Integer, Long> read = new TreeMap<>();

  private record Line(int rank, String text) {
    String time() {
      return text.substring(0, TIME_CHARS);
    }
  }

  private RunLogs(Storage storage, Optional<Integer> only) {
    this.storage = storage;
    this.only = only;
  }

  /**
   * @param only rank that is looked at; empty: all
   * @throws PlanException if there is no log
   */
  static RunLogs of(String runDir, Optional<Integer> only) throws IOException {
    RunLogs logs = new RunLogs(StorageLocation.of(runDir).open(Map.of()), only);
    if (logs.ranks().isEmpty()) {
      String name = only.isPresent() ? "rank-" + only.get() + ".log" : "rank-N.log";
      throw new PlanException(runDir + " holds no " + FOLDER + "/" + name);
    }
    return logs;
  }

  private List<Integer> ranks() throws IOException {
    return storage.list(FOLDER).stream()
        .filter(StorageEntry::isFile)
        .map(entry -> FILE.matcher(entry.name()))
        .filter(Matcher::matches)
        .map(name -> Integer.parseInt(name.group(1)))
        .filter(rank -> only.isEmpty() || only.get().equals(rank))
        .toList();
  }

  /**
   * The last lines of all ranks that are looked at, oldest first.
   *
   * @param count at most
   */
  List<String> last(int count) throws IOException {
    List<Line> lines = new ArrayList<>();
    for (int rank : ranks()) {
      String old = old(rank);
      if (storage.exists(old)) {
        lines.addAll(lines(rank, text(old, 0)));
      }
      lines.addAll(more(rank));
    }
    List<String> sorted = sorted(lines);
    return sorted.subList(Math.max(0, sorted.size() - count), sorted.size());
  }

  /** Lines that came since the last call of this or of {@link #last}. */
  List<String> more() throws IOException {
    List<Line> lines = new ArrayList<>();
    for (int rank : ranks()) {
      lines.addAll(more(rank));
    }
    return sorted(lines);
  }

  private List<Line> more(int rank) throws IOException {
    String name = FOLDER + "/rank-" + rank + ".log";
    long from = read.getOrDefault(rank, 0L);
    String text = "";
    if (storage.length(name) < from) {
      // It became the old one meanwhile, and was perhaps longer by then.
      text = text(old(rank), from);
      from = 0;
    }
    String now = text(name, from);
    // Half a line is read again, whole.
    int whole = now.lastIndexOf('\n') + 1;
    long bytes = now.substring(0, whole).getBytes(StandardCharsets.UTF_8).length;
    read.put(rank, from + bytes);
    return lines(rank, text + now.substring(0, whole));
  }

  private static String old(int rank) {
    return FOLDER + "/rank-" + rank + ".old.log";
  }

  private String text(String name, long from) throws IOException {
    try (StorageInput input = storage.open(name)) {
      ByteBuffer content = ByteBuffer.allocate((int) Math.max(0, input.length() - from));
      input.readFully(from, content);
      return new String(content.array(), StandardCharsets.UTF_8);
    }
  }

  private static List<Line> lines(int rank, String text) {
    return text.lines()
        .filter(line -> TIMED.matcher(line).matches())
        .map(line -> new Line(rank, line))
        .toList();
  }

  private List<String> sorted(List<Line> lines) {
    return lines.stream()
        .sorted(Comparator.comparing(Line::time))
        .map(line -> only.isPresent() ? line.text() : "rank " + line.rank() + " " + line.text())
        .toList();
  }
}
