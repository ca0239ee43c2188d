package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a part, as the commit names it.
 *
 * @param dims extents, outermost first
 * @param offset first byte, counted from the start of the part
 * @param sha256 of the tensor's bytes: leaf of the canonical state hash
 */
public record StoredTensor(
    String name, SafetensorsType dtype, List<Long> dims, long offset, long bytes, String sha256) {
  public StoredTensor {
    dims = List.copyOf(dims);
  }

  Json json() {
    return Json.object()
        .put("name", name)
        .put("dtype", dtype.name())
        .put("shape", Json.of(dims.stream().map(Json::of).toList()))
        .put("offset", offset)
        .put("bytes", bytes)
        .put("sha256", sha256)
        .build();
  }

  static StoredTensor of(Json.Obj json) {
    List<Long> dims = new ArrayList<>();
    for (Json dim : json.list("shape")) {
      dims.add(dim.asInteger("shape", 0, 1L << 53));
    }
    return new StoredTensor(
        json.text("name"),
        SafetensorsType.valueOf(json.text("dtype")),
        dims,
        json.integer("offset", 0, 1L << 53),
        json.integer("bytes", 0, 1L << 53),
        json.text("sha256"));
  }
}
