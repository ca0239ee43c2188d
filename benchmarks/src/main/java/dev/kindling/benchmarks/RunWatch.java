package dev.kindling.benchmarks;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What can be seen of a run from outside, by its folder alone. Not thread-safe. */
final class RunWatch {
  private static final Pattern LINE =
      Pattern.compile("^\\{\"step\":(\\d+),.*\"loss\":.*\"attempt\":(\\d+).*\"unix_ms\":\\d+}$");

  /** An s and twelve digits begin the name of a generation's folder. */
  private static final int STEP_CHARS = 13;

  private final Path runDir;
  private long read;
  private String torn = "";
  private long lastStep;
  private long attempt;

  RunWatch(Path runDir) {
    this.runDir = runDir;
  }

  /** Reads what was appended to the metrics; steps told again by a checkpoint are not counted. */
  void look() throws IOException {
    Path metrics = runDir.resolve("metrics.jsonl");
    if (!Files.exists(metrics)) {
      return;
    }
    try (SeekableByteChannel channel = Files.newByteChannel(metrics)) {
      channel.position(read);
      ByteBuffer fresh = ByteBuffer.allocate((int) (channel.size() - read));
      while (fresh.hasRemaining() && channel.read(fresh) >= 0) {
        continue;
      }
      read += fresh.position();
      String text =
          torn + new String(fresh.array(), 0, fresh.position(), StandardCharsets.ISO_8859_1);
      int end = text.lastIndexOf('\n') + 1;
      torn = text.substring(end);
      text.substring(0, end).lines().map(LINE::matcher).filter(Matcher::matches).forEach(this::add);
    }
  }

  private void add(Matcher line) {
    lastStep = Math.max(lastStep, Long.parseLong(line.group(1)));
    attempt = Math.max(attempt, Long.parseLong(line.group(2)));
  }

  /** Highest step that any attempt reported, 0 if none. */
  long lastStep() {
    return lastStep;
  }

  /** Newest attempt that reported a step, 0 if none. */
  long attempt() {
    return attempt;
  }

  /** Whether the window of a moment has begun, or is over. */
  boolean come(KillMoment moment) throws IOException {
    return switch (moment.window()) {
      case STEP -> lastStep >= moment.step();
      case SAVE -> lastStep > moment.step() || saveBegan(moment.step());
      case RECOVERY -> true;
    };
  }

  /** Whether any commit of an epoch later than this one is there. */
  boolean committedAfter(long epoch) throws IOException {
    String last = String.format(Locale.ROOT, "e%010d-~", epoch);
    return children(runDir.resolve("checkpoints/commits"), "e").stream()
        .anyMatch(commit -> String.valueOf(commit.getFileName()).compareTo(last) > 0);
  }

  /** Whether a rank of the newest epoch has begun to write a checkpoint of this step. */
  boolean saveBegan(long step) throws IOException {
    String prefix = String.format(Locale.ROOT, "s%012d-", step);
    Optional<Path> epoch = newestEpoch();
    return epoch.isPresent() && !children(epoch.get(), prefix).isEmpty();
  }

  /** Whether the newest epoch has parts that no commit names yet. */
  boolean saving() throws IOException {
    Optional<Path> epoch = newestEpoch();
    if (epoch.isEmpty()) {
      return false;
    }
    for (Path folder : children(epoch.get(), "s")) {
      String step = String.valueOf(folder.getFileName()).substring(0, STEP_CHARS);
      String commit = epoch.get().getFileName() + "-" + step + ".json";
      if (!Files.exists(runDir.resolve("checkpoints/commits").resolve(commit))) {
        return true;
      }
    }
    return false;
  }

  private Optional<Path> newestEpoch() throws IOException {
    return children(runDir.resolve("checkpoints/data"), "e").stream().max(Path::compareTo);
  }

  private static List<Path> children(Path folder, String prefix) throws IOException {
    List<Path> found = new ArrayList<>();
    if (Files.isDirectory(folder)) {
      try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder, prefix + "*")) {
        stream.forEach(found::add);
      }
    }
    return found;
  }

  /** How long each save of a run took that is over, in milliseconds. */
  List<Double> saveMillis() throws IOException {
    List<Double> millis = new ArrayList<>();
    for (String line : Files.readAllLines(runDir.resolve("history.jsonl"))) {
      Json.Obj event =
          JsonReader.read(line.getBytes(StandardCharsets.UTF_8), "history.jsonl").asObject("line");
      if (event.text("event").equals("checkpoint") && event.text("failure").isEmpty()) {
        millis.add((double) event.integer("millis", 0, Long.MAX_VALUE));
      }
    }
    return millis;
  }
}
