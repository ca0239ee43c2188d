package dev.kindling.worker.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a generation; one part is open at a time, since neighbours in name are mostly
 * neighbours in a part.
 */
final class GenerationTensors implements ExportedTensors {
  private final CheckpointStore store;
  private final List<Stored> tensors;
  private final Map<String, PartDescriptor> partOf = new TreeMap<>();
  private @Nullable PartDescriptor openPart;
  private @Nullable SafetensorsFile openFile;

  GenerationTensors(CheckpointStore store, Generation generation) {
    this.store = store;
    tensors =
        generation.tensors(PartKind.MODEL).values().stream()
            .map(t -> new Stored(t.name(), t.dtype(), t.dims(), Optional.of(t.sha256())))
            .toList();
    for (PartDescriptor part : generation.manifest().parts(PartKind.MODEL)) {
      part.tensors().forEach(tensor -> partOf.put(tensor.name(), part));
    }
  }

  @Override
  public List<Stored> tensors() {
    return tensors;
  }

  @Override
  public void read(Stored tensor, long offset, ByteBuffer target) throws IOException {
    SafetensorsFile file = fileOf(tensor.name());
    file.readBytes(file.entry(tensor.name()), offset, target);
  }

  private SafetensorsFile fileOf(String tensor) throws IOException {
    PartDescriptor part = Objects.requireNonNull(partOf.get(tensor));
    SafetensorsFile file = openFile;
    if (file == null || !part.equals(openPart)) {
      close();
      file = store.reader().open(part);
      openFile = file;
      openPart = part;
    }
    return file;
  }

  @Override
  public void close() {
    SafetensorsFile file = openFile;
    openFile = null;
    if (file != null) {
      file.close();
    }
  }
}
