package dev.kindling.worker.data;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The corpus on which every published loss of this project is measured: the sources of a pinned
 * list of Maven jars as JSON lines, one file a project, {@code train/} and {@code validation/}
 * split by project. Licence headers are removed, equal files kept once, files over 1 MiB left out.
 *
 * <p>The list also pins the hash of the text, so two corpora are the same bytes or an error.
 */
public final class PinnedCorpus {
  private static final String LIST = "corpus.tsv";
  private static final String REPORT = "corpus.json";
  private static final String TEXT_PIN = "# text_sha256 ";

  /**
   * One line of the list.
   *
   * @param licence SPDX expression
   */
  public record Entry(SourcesJar jar, String licence) {
    String project() {
      return jar.coordinates().split(":", -1)[1];
    }
  }

  /**
   * What a folder holds.
   *
   * @param textSha256 over the hashes of all files in the order of the list
   */
  public record Report(
      long trainBytes, long validationBytes, long documents, long duplicates, String textSha256) {}

  private final Path folder;
  private final SourcesRepository repository;
  private final List<Entry> entries;
  private final String textPin;
  private final WorkPool.Progress progress;

  PinnedCorpus(Path folder, SourcesRepository repository, String list, WorkPool.Progress progress) {
    this.folder = folder;
    this.repository = repository;
    this.entries = parse(list);
    this.textPin =
        list.lines()
            .filter(line -> line.startsWith(TEXT_PIN))
            .map(line -> line.substring(TEXT_PIN.length()).trim())
            .findFirst()
            .orElse("");
    this.progress = progress;
  }

  /**
   * Builds the corpus below {@code folder}, or finds it there. Jars that were fetched stay in
   * {@code folder/jars}, so a second try goes on where the first stopped.
   *
   * @throws DataException when a jar cannot be had or the text is not the pinned one
   */
  public static Report build(Path folder, WorkPool.Progress progress) {
    SourcesRepository repository = new SourcesRepository(folder.resolve("jars"));
    return new PinnedCorpus(folder, repository, list(), progress).build();
  }

  /** The pinned list. */
  public static List<Entry> entries() {
    return parse(list());
  }

  private static String list() {
    try (InputStream in = PinnedCorpus.class.getResourceAsStream(LIST)) {
      if (in == null) {
        throw new IllegalStateException(LIST + " is missing from the jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Entry> parse(String list) {
    List<Entry> entries = new ArrayList<>();
    for (String line : list.lines().filter(line -> !line.startsWith("#")).toList()) {
      String[] column = line.split("\t", -1);
      SplitName split =
          column[3].equals(SplitName.VALIDATION.word()) ? SplitName.VALIDATION : SplitName.TRAIN;
      entries.add(new Entry(new SourcesJar(column[0], column[1], split), column[2]));
    }
    return entries;
  }

  Report build() {
    try {
      Path report = folder.resolve(REPORT);
      if (Files.exists(report)) {
        return check(read(report));
      }
      List<Path> jars = new ArrayList<>();
      for (Entry entry : entries) {
        jars.add(repository.fetch(entry.jar()));
        progress.report("fetch " + entry.jar().coordinates(), jars.size(), entries.size());
      }
      Report made = write(jars);
      writeLicences();
      Path partial = folder.resolve(REPORT + ".partial");
      Files.writeString(partial, json(check(made)));
      Files.move(partial, report, StandardCopyOption.ATOMIC_MOVE);
      return made;
    } catch (IOException e) {
      throw new DataException(folder + ": cannot be written: " + e, e);
    }
  }

  private Report write(List<Path> jars) throws IOException {
    Set<String> seen = new HashSet<>();
    long[] bytes = new long[2];
    long[] counts = new long[2];
    Sha256 text = new Sha256();
    for (int k = 0; k < jars.size(); k++) {
      Entry entry = entries.get(k);
      int side = entry.jar().split().ordinal();
      Path file = folder.resolve(entry.jar().split().word()).resolve(entry.project() + ".jsonl");
      Files.createDirectories(file.getParent());
      try (BufferedWriter out = Files.newBufferedWriter(file, StandardCharsets.US_ASCII)) {
        new JarFragment(jars.get(k).toString(), entry.project(), 0)
            .read(
                (name, utf8) -> {
                  boolean fresh = seen.add(Sha256.of(utf8).substring(0, 32));
                  counts[fresh ? 0 : 1]++;
                  if (fresh) {
                    bytes[side] += utf8.length;
                    line(out, name, utf8);
                  }
                });
      }
      text.add(Sha256.of(file));
      progress.report("write " + entry.project(), k + 1, jars.size());
    }
    return new Report(bytes[0], bytes[1], counts[0], counts[1], text.hex());
  }

  private static void line(BufferedWriter out, String name, byte[] utf8) {
    String text = new String(utf8, StandardCharsets.UTF_8);
    try {
      out.write("{\"name\": " + Json.ascii(name) + ", \"text\": " + Json.ascii(text) + "}\n");
    } catch (IOException e) {
      throw new DataException(name + ": cannot be written: " + e, e);
    }
  }

  private void writeLicences() throws IOException {
    StringBuilder out = new StringBuilder("coordinates\tsplit\tlicence (SPDX)\n");
    for (Entry entry : entries) {
      out.append(entry.jar().coordinates()).append('\t').append(entry.jar().split().word());
      out.append('\t').append(entry.licence()).append('\n');
    }
    Files.writeString(folder.resolve("LICENCES.tsv"), out);
  }

  private Report check(Report report) {
    if (!textPin.isEmpty() && !textPin.equals(report.textSha256())) {
      throw new DataException(
          folder + ": expected text of SHA-256 " + textPin + ", found " + report.textSha256());
    }
    return report;
  }

  private static String json(Report report) {
    return "{\"train_bytes\": "
        + report.trainBytes()
        + ", \"validation_bytes\": "
        + report.validationBytes()
        + ", \"documents\": "
        + report.documents()
        + ", \"duplicates\": "
        + report.duplicates()
        + ", \"text_sha256\": "
        + Json.ascii(report.textSha256())
        + "}\n";
  }

  private static Report read(Path file) throws IOException {
    try {
      Json.Obj json = JsonReader.read(Files.readAllBytes(file), file.toString()).asObject("report");
      return new Report(
          json.integer("train_bytes", 0, Long.MAX_VALUE),
          json.integer("validation_bytes", 0, Long.MAX_VALUE),
          json.integer("documents", 0, Long.MAX_VALUE),
          json.integer("duplicates", 0, Long.MAX_VALUE),
          json.text("text_sha256"));
    } catch (JsonException e) {
      throw new DataException(file + ": damaged; delete it to build the corpus again", e);
    }
  }
}
