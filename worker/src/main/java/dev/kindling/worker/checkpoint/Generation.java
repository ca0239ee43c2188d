package dev.kindling.worker.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A committed checkpoint that verified: its commit, its state, and where its tensors are.
 *
 * @param id epoch and step as in the commit's name, for example {@code e0000000007-s000000012000}
 */
public record Generation(String id, String commitSha256, Manifest manifest, TrainState state) {
  public long epoch() {
    return manifest.epoch();
  }

  public long step() {
    return manifest.step();
  }

  /**
   * Id of the commit that this one went on from, a {@code #} and the SHA-256 of that commit; empty
   * for a first one.
   */
  public String parent() {
    return manifest.parent();
  }

  public int worldSize() {
    return manifest.worldSize();
  }

  /** Hash over tensors and state; equal for equal training states whatever the number of ranks. */
  public String stateHash() {
    return manifest.stateHash();
  }

  public RunFacts facts() {
    return manifest.facts();
  }

  /** Tensors of a kind by name, sorted. */
  public Map<String, StoredTensor> tensors(PartKind kind) {
    Map<String, StoredTensor> tensors = new TreeMap<>();
    for (PartDescriptor part : manifest.parts(kind)) {
      for (StoredTensor tensor : part.tensors()) {
        tensors.put(tensor.name(), tensor);
      }
    }
    return tensors;
  }

  /** Paths of the parts of a kind, relative to the checkpoint root. */
  public List<String> partPaths(PartKind kind) {
    List<String> paths = new ArrayList<>();
    for (PartDescriptor part : manifest.parts(kind)) {
      paths.add(part.path());
    }
    return paths;
  }
}
