package dev.kindling.worker.checkpoint;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names under the checkpoint root; every number is zero-padded so that listings sort. */
final class Layout {
  static final String JOB = "job.json";
  static final String EPOCHS = "epochs";
  static final String DATA = "data";
  static final String COMMITS = "commits";
  static final String REVOKED = "revoked";
  static final String HINT = "hint";
  static final String LATEST = HINT + "/latest";
  static final String STATE = "state.json";
  static final String INDEX = "model.safetensors.index.json";
  static final int MAX_COMMIT_BYTES = 64 << 20;

  static final int MAX_PARTS = 99_999;

  private static final long MAX_EPOCH = 9_999_999_999L;
  private static final long MAX_STEP = 999_999_999_999L;
  private static final Pattern COMMIT = Pattern.compile("e(\\d{10})-s(\\d{12})\\.json");
  private static final Pattern EPOCH = Pattern.compile("\\d{10}");
  private static final Pattern EPOCH_FOLDER = Pattern.compile("e\\d{10}");
  private static final Pattern PART =
      Pattern.compile("([a-z]+)-(\\d{5})-of-(\\d{5})\\.safetensors");
  private static final Pattern SUFFIX = Pattern.compile("[0-9a-z]{1,32}");

  private Layout() {}

  /** The identity of a commit, ordered as selection wants it: epoch before step. */
  record Point(long epoch, long step) implements Comparable<Point> {
    Point {
      if (epoch < 1 || epoch > MAX_EPOCH || step < 0 || step > MAX_STEP) {
        throw new IllegalArgumentException(
            "epoch " + epoch + ", step " + step + ": outside the range of names");
      }
    }

    String id() {
      return String.format(Locale.ROOT, "e%010d-s%012d", epoch, step);
    }

    String commitFile() {
      return id() + ".json";
    }

    String commitPath() {
      return COMMITS + "/" + commitFile();
    }

    @Override
    public int compareTo(Point other) {
      int byEpoch = Long.compare(epoch, other.epoch);
      return byEpoch != 0 ? byEpoch : Long.compare(step, other.step);
    }
  }

  static Optional<Point> commitPoint(String file) {
    Matcher matcher = COMMIT.matcher(file);
    if (!matcher.matches() || Long.parseLong(matcher.group(1)) < 1) {
      return Optional.empty();
    }
    return Optional.of(
        new Point(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2))));
  }

  static Optional<Long> epochOf(String file) {
    return EPOCH.matcher(file).matches() ? Optional.of(Long.parseLong(file)) : Optional.empty();
  }

  static Optional<Long> epochOfFolder(String folder) {
    return EPOCH_FOLDER.matcher(folder).matches()
        ? Optional.of(Long.parseLong(folder.substring(1)))
        : Optional.empty();
  }

  static String epochPath(long epoch) {
    return String.format(Locale.ROOT, "%s/%010d", EPOCHS, epoch);
  }

  static String epochFolder(long epoch) {
    return String.format(Locale.ROOT, "%s/e%010d", DATA, epoch);
  }

  static String generationFolder(Point point, String suffix) {
    if (!SUFFIX.matcher(suffix).matches()) {
      throw new IllegalArgumentException(
          "generation suffix: expected 1 to 32 of 0-9 a-z, found "
              + suffix.length()
              + " characters");
    }
    return String.format(
        Locale.ROOT, "%s/s%012d-%s", epochFolder(point.epoch()), point.step(), suffix);
  }

  /** True if the folder could have been made by {@link #generationFolder} for this point. */
  static boolean isGenerationFolder(String folder, Point point) {
    String prefix =
        String.format(Locale.ROOT, "%s/s%012d-", epochFolder(point.epoch()), point.step());
    return folder.startsWith(prefix) && SUFFIX.matcher(folder.substring(prefix.length())).matches();
  }

  /** Name of part {@code number} of {@code count}, counted from 1 over all ranks. */
  static String partFile(PartKind kind, int number, int count) {
    if (number < 1 || number > count || count > MAX_PARTS) {
      throw new IllegalArgumentException(
          "part " + number + " of " + count + ": expected 1 <= number <= count <= " + MAX_PARTS);
    }
    return String.format(Locale.ROOT, "%s-%05d-of-%05d.safetensors", kind.word(), number, count);
  }

  /** A part's place among all of its kind, counted from 1. */
  record PartNumber(int number, int count) {}

  /** The number in a name that {@link #partFile} made for this kind. */
  static Optional<PartNumber> partNumber(PartKind kind, String file) {
    Matcher matcher = PART.matcher(file);
    if (!matcher.matches() || !matcher.group(1).equals(kind.word())) {
      return Optional.empty();
    }
    int number = Integer.parseInt(matcher.group(2));
    int count = Integer.parseInt(matcher.group(3));
    return number < 1 || number > count
        ? Optional.empty()
        : Optional.of(new PartNumber(number, count));
  }

  static String revokedPath(long byEpoch, Point point) {
    return String.format(Locale.ROOT, "%s/e%010d-%s", REVOKED, byEpoch, point.commitFile());
  }

  /** The point that a revocation record takes back. */
  static Optional<Point> revokedPoint(String file) {
    return file.length() > 12
            && EPOCH_FOLDER.matcher(file.substring(0, 11)).matches()
            && file.charAt(11) == '-'
        ? commitPoint(file.substring(12))
        : Optional.empty();
  }
}
