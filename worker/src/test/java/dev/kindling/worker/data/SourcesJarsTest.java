package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SourcesJarsTest {
  private static final String APACHE = "/*\n * Licensed to the ASF under the Apache License\n */\n";

  @TempDir Path folder;

  private SourcesJar jar(String artifact, SplitName split, Map<String, String> files)
      throws IOException {
    SourcesJar unpinned = new SourcesJar("org.x:" + artifact + ":1.0", "0".repeat(64), split);
    Path file = folder.resolve("repository").resolve(unpinned.repositoryPath());
    Files.createDirectories(file.getParent());
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, String> entry : new TreeMap<>(files).entrySet()) {
        out.putNextEntry(new ZipEntry(entry.getKey()));
        out.write(entry.getValue().getBytes(StandardCharsets.UTF_8));
      }
    }
    return new SourcesJar(unpinned.coordinates(), Sha256.of(file), split);
  }

  private SourcesRepository repository() {
    return new SourcesRepository(
        folder.resolve("cache"), folder.resolve("repository").toUri().toString());
  }

  @Test
  void licenceHeadersAreRemovedAndOtherCommentsKept() {
    assertThat(cleaned(APACHE + "\npackage a;\n")).isEqualTo("package a;\n");
    assertThat(cleaned("// Copyright 2020\n// all\n\n/** Doc. */\nclass A {} /* licence */"))
        .isEqualTo("/** Doc. */\nclass A {} /* licence */");
    assertThat(cleaned("\ufeff// generated\r\npackage a;\r\n"))
        .isEqualTo("// generated\n\npackage a;\n");
    assertThat(cleaned("package a; // Copyright")).isEqualTo("package a; // Copyright");
    assertThat(cleaned(APACHE)).isEmpty();
    assertThat(cleaned("/* never closed licence")).isEqualTo("/* never closed licence");
  }

  private static String cleaned(String source) {
    return new String(
        LicenceHeader.remove(source.getBytes(StandardCharsets.UTF_8)), StandardCharsets.UTF_8);
  }

  @Test
  void jarsAreFetchedOnceCheckedAndKept() throws IOException {
    SourcesJar jar = jar("a", SplitName.TRAIN, Map.of("A.java", "class A {}"));
    Path fetched = repository().fetch(jar);
    assertThat(Sha256.of(fetched)).isEqualTo(jar.sha256());
    Files.delete(folder.resolve("repository").resolve(jar.repositoryPath()));
    assertThat(repository().fetch(jar)).isEqualTo(fetched);
    Files.writeString(fetched, "damaged");
    assertThatThrownBy(() -> repository().fetch(jar))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("org.x:a:1.0");
    SourcesJar other = new SourcesJar("org.x:b:1.0", "0".repeat(64), SplitName.TRAIN);
    jar("b", SplitName.TRAIN, Map.of("B.java", "class B {}"));
    assertThatThrownBy(() -> repository().fetch(other))
        .isInstanceOf(DataException.class)
        .hasMessageContaining("expected SHA-256 0000");
    try (var left = Files.list(folder.resolve("cache"))) {
      assertThat(left.filter(p -> p.toString().endsWith(".partial"))).isEmpty();
    }
  }

  @Test
  void equalFilesCountOnceAndAHeldOutProjectStaysHeldOut() throws IOException {
    String shared = "class Shared { int value = 12345; }\n";
    SourcesJar a =
        jar("a", SplitName.TRAIN, Map.of("Shared.java", APACHE + shared, "x/A.java", "class A{}"));
    SourcesJar b =
        jar(
            "b",
            SplitName.VALIDATION,
            Map.of("y/Shared.java", shared, "B.java", "class B { }", "logo.png", "no text"));
    List<String> names = new ArrayList<>();
    new JarFragment(repository().fetch(a).toString(), "a", 1).read((name, utf8) -> names.add(name));
    assertThat(names).containsExactly("a/Shared.java", "a/x/A.java");
    repository().fetch(b);
    String cache = folder.resolve("cache").toString();
    SourcesJars spec = new SourcesJars(List.of(a, b), 0, false, Optional.of(cache));
    TokenShards shards = Preparation.prepare(spec, new Bytes(), 4, folder.resolve("set"));
    assertThat(shards.part(SplitName.TRAIN).documents()).isEqualTo(2);
    assertThat(shards.part(SplitName.VALIDATION).documents()).isEqualTo(1);
    // Pins stand for the content: what is prepared needs the jars no more.
    Files.delete(folder.resolve("cache").resolve(a.fileName()));
    assertThat(Preparation.prepare(spec, new Bytes(), 4, folder.resolve("set")).manifest())
        .isEqualTo(shards.manifest());
  }

  @Test
  void pinsMustBePins() {
    assertThatThrownBy(() -> new SourcesJar("a:b", "xyz", SplitName.TRAIN))
        .hasMessageContaining("coordinates: expected group:artifact:version, found a:b")
        .hasMessageContaining("sha256: expected 64");
  }
}
