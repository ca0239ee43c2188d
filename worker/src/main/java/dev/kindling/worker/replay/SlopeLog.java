package dev.kindling.worker.replay;

import dev.kindling.worker.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * All steps of a run. A later attempt begins at a checkpoint; what an earlier one did after it does
 * not count.
 *
 * @param headers of the files that steps were taken from, oldest first, at least one: each holds
 *     for the steps behind its start, up to the start of the next
 * @param records by step, then by direction
 * @param bytes of all files
 */
public record SlopeLog(List<SlopeHeader> headers, List<SlopeRecord> records, long bytes) {
  public SlopeLog {
    headers = List.copyOf(headers);
    records = List.copyOf(records);
  }

  /** Of the newest file. */
  public SlopeHeader header() {
    return headers.get(headers.size() - 1);
  }

  /**
   * @param place a file, the folder of the files, or the run folder
   * @throws CheckpointException if there is no log, a file is damaged or steps are missing
   */
  public static SlopeLog read(Path place) throws IOException {
    return read(place, true, header -> true)
        .orElseThrow(
            () ->
                new CheckpointException(
                    place + ": expected the log of a zeroth-order run, found no file of one"));
  }

  /**
   * Steps on one trajectory alone, nothing if there is no file of it. Those behind which a later
   * attempt began on another one do not count either: the weights of that attempt go on from there.
   *
   * @param run as {@link SlopeHeader#run} names it
   */
  public static Optional<SlopeLog> ofRun(Path runDir, String run) throws IOException {
    return read(runDir, false, header -> header.run().equals(run));
  }

  /** Hash of the weights with which a run began, where a file of its log says so. */
  public static Optional<String> base(Path runDir) throws IOException {
    return read(runDir, false, header -> header.base().isPresent())
        .flatMap(log -> log.header().base());
  }

  /**
   * @param whole whether all steps are wanted, not those that some files hold
   */
  private static Optional<SlopeLog> read(Path place, boolean whole, Predicate<SlopeHeader> wanted)
      throws IOException {
    List<SlopeRecord> records = new ArrayList<>();
    List<SlopeHeader> headers = new ArrayList<>();
    long bytes = 0;
    for (Path file : files(place)) {
      byte[] content = Files.readAllBytes(file);
      if (SlopeHeader.isTorn(content)) {
        continue;
      }
      SlopeHeader header =
          SlopeHeader.read(content)
              .orElseThrow(
                  () ->
                      new CheckpointException(
                          file + ": expected a header \"kindling slopes 2\", found another"));
      records.removeIf(record -> record.step() > header.start());
      if (!wanted.test(header)) {
        continue;
      }
      if (whole) {
        expectNoGap(file, records, header);
      } else if (lastStep(records, header.start()) != header.start()) {
        // Another trajectory made the steps between.
        records.clear();
        headers.clear();
      }
      headers.removeIf(older -> older.start() >= header.start());
      records.addAll(records(content, header.bytes().length));
      headers.add(header);
      bytes += content.length;
    }
    if (headers.isEmpty()) {
      return Optional.empty();
    }
    SlopeLog log = new SlopeLog(headers, records, bytes);
    log.check(place);
    return Optional.of(log);
  }

  private static void expectNoGap(Path file, List<SlopeRecord> records, SlopeHeader header) {
    long last = lastStep(records, header.start());
    if (last != header.start()) {
      throw new CheckpointException(
          file
              + ": begins after step "
              + header.start()
              + ", expected records up to it, found them up to "
              + last);
    }
  }

  private static long lastStep(List<SlopeRecord> records, long none) {
    return records.isEmpty() ? none : records.get(records.size() - 1).step();
  }

  /** A record that a killed writer left in part does not count. */
  private static List<SlopeRecord> records(byte[] content, int from) {
    ByteBuffer bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).position(from);
    List<SlopeRecord> records = new ArrayList<>();
    while (bytes.remaining() >= SlopeRecord.BYTES) {
      records.add(SlopeRecord.take(bytes));
    }
    return records;
  }

  private static List<Path> files(Path place) throws IOException {
    if (Files.isRegularFile(place)) {
      return List.of(place);
    }
    Path inside = place.resolve(SlopeWriter.FOLDER);
    Path folder = Files.isDirectory(inside) ? inside : place;
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(file -> file.toString().endsWith(".log"))
          // What a writer left that was killed before its header.
          .filter(file -> file.toFile().length() > 0)
          .sorted()
          .toList();
    }
  }

  private void check(Path place) {
    for (int i = 1; i < records.size(); i++) {
      SlopeRecord before = records.get(i - 1);
      SlopeRecord now = records.get(i);
      boolean nextDirection =
          now.step() == before.step() && now.direction() == before.direction() + 1;
      boolean nextStep = now.step() == before.step() + 1 && now.direction() == 0;
      if (!nextDirection && !nextStep) {
        throw new CheckpointException(
            place
                + ": step "
                + now.step()
                + ", direction "
                + now.direction()
                + " follows step "
                + before.step()
                + ", direction "
                + before.direction());
      }
    }
  }

  /** The same log without later steps. */
  public SlopeLog upTo(long step) {
    List<SlopeHeader> own = headers.stream().filter(header -> header.start() < step).toList();
    return new SlopeLog(
        own.isEmpty() ? headers.subList(0, 1) : own,
        records.stream().filter(record -> record.step() <= step).toList(),
        bytes);
  }

  /** Headers that hold for steps behind this one, oldest first. */
  public List<SlopeHeader> behind(long step) {
    int first = 0;
    while (first + 1 < headers.size() && headers.get(first + 1).start() <= step) {
      first++;
    }
    return headers.subList(first, headers.size());
  }

  /** First step of the log, 0 if it is empty. */
  public long firstStep() {
    return records.isEmpty() ? 0 : records.get(0).step();
  }

  /** Last step of the log, 0 if it is empty. */
  public long lastStep() {
    return lastStep(records, 0);
  }
}
