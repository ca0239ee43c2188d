package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The commit object: names and hashes of everything in a generation. Its text ends with {@code
 * #sha256=} and the hash of all bytes before, so that no bit of it can change unseen.
 *
 * @param parent id and hash of the commit that this run went on from, "" for a first one
 * @param stateHash {@link StateHash} over canonical tensors: independent of worldSize and of the
 *     layout of parts
 */
record Manifest(
    String jobId,
    long epoch,
    long step,
    String parent,
    int worldSize,
    RunFacts facts,
    String folder,
    List<PartDescriptor> parts,
    List<StoredFile> files,
    String stateHash) {
  static final int FORMAT = 1;

  /**
   * A rank has written another number of parts than one of each kind. Readers from before would
   * find files that they take for another world's, and say so instead of what is wrong.
   */
  private static final String PARTS_PER_RANK = "parts-per-rank";

  private static final Set<String> KNOWN_CRITICAL = Set.of(PARTS_PER_RANK);

  Manifest {
    parts = List.copyOf(parts);
    files = List.copyOf(files);
  }

  Layout.Point point() {
    return new Layout.Point(epoch, step);
  }

  StoredFile file(String name) {
    for (StoredFile file : files) {
      if (file.name().equals(name)) {
        return file;
      }
    }
    throw new CheckpointException(folder + ": expected " + name + " in the commit, found none");
  }

  List<PartDescriptor> parts(PartKind kind) {
    return parts.stream().filter(part -> part.kind() == kind).toList();
  }

  /** What a reader must know to understand this commit; nothing for the format of the start. */
  private List<String> critical() {
    for (PartKind kind : PartKind.values()) {
      if (parts(kind).size() != worldSize) {
        return List.of(PARTS_PER_RANK);
      }
    }
    return List.of();
  }

  byte[] bytes() {
    Json.Obj json =
        Json.object()
            .put("format", FORMAT)
            .put("critical", Json.strings(critical()))
            .put("jobId", jobId)
            .put("epoch", epoch)
            .put("step", step)
            .put("parent", parent)
            .put("worldSize", worldSize)
            .put("logicalShards", facts.logicalShards())
            .put("determinism", facts.determinism())
            .put("config", facts.config())
            .put("configSha256", Hashing.sha256(facts.config()))
            .put("code", Json.strings(facts.code()))
            .put("folder", folder)
            .put("parts", Json.of(parts.stream().map(PartDescriptor::json).toList()))
            .put("files", Json.of(files.stream().map(StoredFile::json).toList()))
            .put("stateHash", stateHash)
            .build();
    return SealedText.seal(json.bytes());
  }

  /** Reads a commit; {@code file} is its name in messages. Hash first, JSON after. */
  static Manifest read(byte[] bytes, String file) {
    byte[] body = SealedText.open(bytes, file);
    try {
      return of(JsonReader.read(body, file).asObject("commit"));
    } catch (JsonException broken) {
      throw new CheckpointException(broken.getMessage(), broken);
    } catch (IllegalArgumentException broken) {
      throw new CheckpointException(file + ": " + broken.getMessage(), broken);
    }
  }

  private static Manifest of(Json.Obj json) {
    long format = json.integer("format", 1, Long.MAX_VALUE);
    if (format != FORMAT) {
      throw new IllegalArgumentException(
          "format: expected " + FORMAT + ", found " + format + "; a newer Kindling wrote this");
    }
    for (String feature : json.texts("critical")) {
      if (!KNOWN_CRITICAL.contains(feature)) {
        throw new IllegalArgumentException(
            "critical feature " + Json.of(feature).write() + " is unknown to this version");
      }
    }
    RunFacts facts =
        new RunFacts(
            json.text("config"),
            json.text("determinism"),
            (int) json.integer("logicalShards", 0, 1 << 20),
            json.stringMap("code"));
    List<PartDescriptor> parts = new ArrayList<>();
    for (Json part : json.list("parts")) {
      parts.add(PartDescriptor.of(part.asObject("part")));
    }
    List<StoredFile> files = new ArrayList<>();
    for (Json file : json.list("files")) {
      files.add(StoredFile.of(file.asObject("file")));
    }
    return new Manifest(
        json.text("jobId"),
        json.integer("epoch", 1, Long.MAX_VALUE),
        json.integer("step", 0, Long.MAX_VALUE),
        json.text("parent"),
        (int) json.integer("worldSize", 1, 99999),
        facts,
        json.text("folder"),
        parts,
        files,
        json.text("stateHash"));
  }
}
