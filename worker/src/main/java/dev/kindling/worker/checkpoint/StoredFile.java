package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;

/** A small file of a generation beside the parts: state and weight index. */
record StoredFile(String name, FileHash hash) {
  Json json() {
    return hash.putInto(Json.object().put("name", name)).build();
  }

  static StoredFile of(Json.Obj json) {
    return new StoredFile(json.text("name"), FileHash.of(json));
  }
}
