package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Writes the small files of a generation beside its parts and describes all of it. */
record ManifestWriter(Storage storage, GenerationReader reader) {
  /**
   * The small files are durable on return; nothing is committed.
   *
   * @param parent id and hash of the commit before, empty for the first
   */
  Manifest write(CommitRequest request, String folder, String parent) throws IOException {
    List<PartDescriptor> parts = new ArrayList<>(request.parts());
    parts.sort(Comparator.comparing(PartDescriptor::file));
    Failpoint.STATE_WRITE.before();
    List<StoredFile> files =
        List.of(
            writeFile(folder, Layout.STATE, request.state().bytes()),
            writeFile(folder, Layout.INDEX, WeightIndex.of(parts)));
    Failpoint.STATE_WRITE.after();
    return new Manifest(
        JobIdentity.of(storage, reader),
        request.epoch(),
        request.step(),
        parent,
        request.worldSize(),
        request.facts(),
        folder,
        parts,
        files,
        StateHash.of(parts, request.state()));
  }

  private StoredFile writeFile(String folder, String name, byte[] content) throws IOException {
    Hashing hashing = new Hashing(FileHash.BLOCK_BYTES);
    hashing.update(ByteBuffer.wrap(content));
    try (StorageOutput output = storage.create(folder + "/" + name)) {
      output.write(ByteBuffer.wrap(content));
      output.commit();
    }
    StoredFile file = new StoredFile(name, hashing.finish());
    reader.verifyFile(folder, file);
    return file;
  }
}
