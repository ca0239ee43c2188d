package dev.kindling.worker.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The documents of a configuration, in order and hashed, before a tokenizer sees them. Jars are
 * pinned, so their hash needs no reading: a set that is prepared starts without them.
 */
final class Corpora {
  /** Part of the hash of jars: which files, which headers, which duplicates. */
  private static final String SOURCE_RULES = "source rules 1";

  private final Supplier<List<Group>> source;
  private final boolean listed;
  private final WorkPool pool;
  private final boolean maskDocuments;
  private final double validationFraction;
  private boolean validationFixed;
  private @Nullable String inputsHash;
  private @Nullable List<Group> groups;
  private @Nullable List<ScanTask.Scan> scans;

  private Corpora(
      Supplier<List<Group>> source,
      boolean listed,
      WorkPool pool,
      boolean maskDocuments,
      double validationFraction) {
    this.source = source;
    this.listed = listed;
    this.pool = pool;
    this.maskDocuments = maskDocuments;
    this.validationFraction = validationFraction;
  }

  static Corpora of(DataSpec data, WorkPool pool) {
    if (data instanceof Text text) {
      Supplier<List<Group>> source = () -> groups(text);
      Corpora corpus =
          new Corpora(source, false, pool, text.maskDocuments(), text.validationFraction());
      corpus.validationFixed = !text.validationPaths().isEmpty();
      return corpus;
    }
    if (data instanceof Jsonl jsonl) {
      Lines lines =
          new Lines(
              jsonl.paths(),
              jsonl.validationPaths(),
              jsonl.validationFraction(),
              new TextMember(jsonl.field()),
              jsonl.badLines());
      return lines.corpus(pool, jsonl.maskDocuments());
    }
    if (data instanceof Chat chat) {
      Lines lines =
          new Lines(
              chat.paths(),
              chat.validationPaths(),
              chat.validationFraction(),
              new ChatLine(),
              chat.badLines());
      return lines.corpus(pool, true);
    }
    if (data instanceof SourcesJars jars) {
      Supplier<List<Group>> source = () -> groups(jars);
      Corpora corpus =
          new Corpora(source, true, pool, jars.maskDocuments(), jars.validationFraction());
      corpus.validationFixed =
          jars.jars().stream().anyMatch(jar -> jar.split() == SplitName.VALIDATION);
      Sha256 pins = new Sha256().add(SOURCE_RULES);
      jars.jars().forEach(jar -> pins.add(jar.sha256()).add(jar.split().word()));
      corpus.inputsHash = pins.hex();
      return corpus;
    }
    if (data instanceof Sql) {
      throw new DataException(
          "data.type sql: expected its rows, which the driver reads through Spark, found the"
              + " query");
    }
    throw new IllegalArgumentException("prepared sets have no inputs: " + data);
  }

  private static List<Group> groups(Text text) {
    Inputs inputs = new Inputs();
    List<Group> groups = new ArrayList<>();
    SplitName fixed = text.validationFraction() > 0 ? null : SplitName.TRAIN;
    Group.cut(inputs.text(text.paths(), SplitName.TRAIN), fixed, groups);
    Group.cut(
        inputs.text(text.validationPaths(), SplitName.VALIDATION), SplitName.VALIDATION, groups);
    return groups;
  }

  /** JSON lines, whatever they hold. */
  private record Lines(
      List<String> paths,
      List<String> validationPaths,
      double validationFraction,
      LineContent content,
      BadLines badLines) {
    Corpora corpus(WorkPool pool, boolean maskDocuments) {
      Corpora corpus = new Corpora(this::groups, false, pool, maskDocuments, validationFraction);
      corpus.validationFixed = !validationPaths.isEmpty();
      return corpus;
    }

    private List<Group> groups() {
      Inputs inputs = new Inputs();
      List<Group> groups = new ArrayList<>();
      SplitName fixed = validationFraction > 0 ? null : SplitName.TRAIN;
      Group.cut(inputs.jsonl(paths, content, badLines, SplitName.TRAIN), fixed, groups);
      Group.cut(
          inputs.jsonl(validationPaths, content, badLines, SplitName.VALIDATION),
          SplitName.VALIDATION,
          groups);
      return groups;
    }
  }

  private static List<Group> groups(SourcesJars spec) {
    Path cache = spec.cache().map(Path::of).orElseGet(() -> CacheFolder.of("sources"));
    SourcesRepository repository = new SourcesRepository(cache);
    List<Group> groups = new ArrayList<>();
    for (SourcesJar jar : spec.jars()) {
      Path file = repository.fetch(jar);
      SplitName fixed =
          jar.split() == SplitName.VALIDATION || spec.validationFraction() == 0
              ? jar.split()
              : null;
      String project = jar.coordinates().split(":", -1)[1];
      long bytes = file.toFile().length();
      Group.cut(List.of(new JarFragment(file.toString(), project, bytes)), fixed, groups);
    }
    return groups;
  }

  boolean maskDocuments() {
    return maskDocuments;
  }

  double validationFraction() {
    return validationFraction;
  }

  boolean holdsOut() {
    return validationFixed || validationFraction > 0;
  }

  String inputsHash() {
    if (inputsHash == null) {
      Sha256 all = new Sha256();
      List<ScanTask.Scan> read = scans();
      for (Group group : groups()) {
        all.add(String.valueOf(group.fixed())).add(read.get(group.index()).sha256());
      }
      inputsHash = all.hex();
    }
    return inputsHash;
  }

  /** Documents placed below are held out; moved up to the nearest one when it would hold none. */
  long line() {
    long line = ScanTask.line(validationFraction);
    long smallest = Long.MAX_VALUE;
    for (Group group : groups()) {
      if (group.fixed() == null) {
        smallest = Math.min(smallest, scans().get(group.index()).smallest());
      }
    }
    return validationFraction > 0 && smallest != Long.MAX_VALUE
        ? Math.max(line, smallest + 1)
        : line;
  }

  List<Group> groups() {
    if (groups == null) {
      groups = source.get();
    }
    return groups;
  }

  List<ScanTask.Scan> scans() {
    if (scans == null) {
      scans = pool.map("scan", groups(), new ScanTask(listed));
    }
    return scans;
  }
}
