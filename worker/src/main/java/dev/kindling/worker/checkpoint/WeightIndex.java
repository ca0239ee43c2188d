package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The Hugging Face index of weight files: which file holds which tensor. */
final class WeightIndex {
  private WeightIndex() {}

  static byte[] of(List<PartDescriptor> parts) {
    Map<String, String> fileOf = new TreeMap<>();
    long bytes = 0;
    for (PartDescriptor part : parts) {
      if (part.kind() == PartKind.MODEL) {
        for (StoredTensor tensor : part.tensors()) {
          fileOf.put(tensor.name(), part.file());
          bytes += tensor.bytes();
        }
      }
    }
    return of(fileOf, bytes);
  }

  static byte[] of(Map<String, String> fileOf, long bytes) {
    return Json.object()
        .put("metadata", Json.object().put("total_size", bytes).build())
        .put("weight_map", Json.strings(fileOf))
        .build()
        .bytes();
  }
}
