package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * What one rank wrote: enough for the committer to check coverage and to read the file back.
 *
 * @param folder generation folder, relative to the checkpoint root
 * @param file name inside the folder
 * @param tensors in the order of their bytes
 */
public record PartDescriptor(
    String folder,
    String file,
    PartKind kind,
    int rank,
    int worldSize,
    FileHash hash,
    List<StoredTensor> tensors) {
  public PartDescriptor {
    tensors = List.copyOf(tensors);
    Layout.PartNumber place =
        Layout.partNumber(kind, file)
            .orElseThrow(
                () -> new IllegalArgumentException("part file: expected a name of " + kind.word()));
    // Every rank writes at least one part, and ranks come in order.
    int above = worldSize - 1 - rank;
    if (rank < 0 || above < 0 || place.number() <= rank || place.count() - place.number() < above) {
      throw new IllegalArgumentException(
          "part file: expected one of rank " + rank + " of " + worldSize + ", found " + file);
    }
  }

  /** Its place among all parts of its kind. */
  Layout.PartNumber place() {
    return Layout.partNumber(kind, file).orElseThrow();
  }

  String path() {
    return folder + "/" + file;
  }

  /** Text form for the wire between ranks; {@link #decode} reads it. */
  public String encode() {
    return json().write();
  }

  /** Reads what {@link #encode} wrote; anything else is refused. */
  public static PartDescriptor decode(String text) {
    return of(
        JsonReader.read(text.getBytes(StandardCharsets.UTF_8), "part descriptor").asObject("part"));
  }

  Json json() {
    return hash.putInto(
            Json.object()
                .put("folder", folder)
                .put("name", file)
                .put("role", kind.word())
                .put("rank", rank)
                .put("worldSize", worldSize))
        .put("tensors", Json.of(tensors.stream().map(StoredTensor::json).toList()))
        .build();
  }

  static PartDescriptor of(Json.Obj json) {
    List<StoredTensor> tensors = new ArrayList<>();
    for (Json tensor : json.list("tensors")) {
      tensors.add(StoredTensor.of(tensor.asObject("tensor")));
    }
    return new PartDescriptor(
        json.text("folder"),
        json.text("name"),
        PartKind.ofWord(json.text("role")),
        (int) json.integer("rank", 0, 99998),
        (int) json.integer("worldSize", 1, 99999),
        FileHash.of(json),
        tensors);
  }
}
