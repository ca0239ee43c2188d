package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.store.ObjectStore;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunMirrorTest {
  private static final Map<String, String> MODEL =
      Map.of("spark.hadoop.fs.s3a.impl", ObjectStore.class.getName());

  private final StorageLocation run =
      StorageLocation.of("s3a://b-" + UUID.randomUUID() + "/runs/a");

  private String stored(String file) throws IOException {
    return new String(run.open(MODEL).read(file, 1000), java.nio.charset.StandardCharsets.UTF_8);
  }

  @Test
  void aLocalRunFolderIsItsOwnMirror(@TempDir Path folder) throws IOException {
    try (RunMirror mirror = RunMirror.of(new StorageLocation(folder.toString()), Map.of())) {
      Files.writeString(mirror.folder().resolve(RunMirror.METRICS), "{}\n");
      mirror.publish(RunMirror.METRICS);
      assertThat(mirror.folder()).isEqualTo(folder);
    }
    assertThat(folder.resolve(RunMirror.METRICS)).exists();
  }

  @Test
  void filesGoBackWholeAndTheCopiesAwayAtTheEnd() throws IOException {
    Path copies;
    try (RunMirror mirror = RunMirror.of(run, MODEL)) {
      copies = mirror.folder();
      assertThat(copies).isEmptyDirectory();
      Files.writeString(copies.resolve(RunMirror.CONFIG), "steps: 1\n");
      mirror.publish(RunMirror.CONFIG);
      assertThat(stored(RunMirror.CONFIG)).isEqualTo("steps: 1\n");
      Files.writeString(copies.resolve(RunMirror.METRICS), "{\"step\":1}\n");
      Files.createDirectory(copies.resolve("logs"));
      Files.writeString(copies.resolve("logs/rank-0.log"), "line\n");
    }
    assertThat(copies).doesNotExist();
    assertThat(stored(RunMirror.METRICS)).isEqualTo("{\"step\":1}\n");
    try (RunMirror next = RunMirror.of(run, MODEL)) {
      assertThat(next.folder().resolve(RunMirror.METRICS)).hasContent("{\"step\":1}");
      assertThat(next.folder().resolve(RunMirror.CONFIG)).hasContent("steps: 1");
      assertThat(next.folder().resolve("logs/rank-0.log")).hasContent("line");
    }
  }
}
