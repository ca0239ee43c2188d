package dev.kindling.worker.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * One hash for all that a run would go on from: tensors by kind and name, then the state without
 * its attempt. Parts, ranks, worldSize, epochs and offsets do not enter, so two runs of different
 * layout compare.
 */
final class StateHash {
  private StateHash() {}

  static String of(List<PartDescriptor> parts, TrainState state) {
    List<String> leaves = new ArrayList<>();
    for (PartDescriptor part : parts) {
      for (StoredTensor tensor : part.tensors()) {
        leaves.add(
            part.kind().word()
                + "\t"
                + tensor.name()
                + "\t"
                + tensor.dtype()
                + "\t"
                + tensor.dims()
                + "\t"
                + tensor.sha256());
      }
    }
    leaves.sort(null);
    var root = Hashing.sha256();
    for (String leaf : leaves) {
      root.update(Hashing.sha256(leaf).getBytes(StandardCharsets.US_ASCII));
    }
    root.update(Hashing.sha256(state.trajectory()).getBytes(StandardCharsets.US_ASCII));
    return java.util.HexFormat.of().formatHex(root.digest());
  }
}
