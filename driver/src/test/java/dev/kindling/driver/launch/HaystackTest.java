package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A search that finds nothing proves something only if it finds what is there. */
class HaystackTest {
  private static final String NEEDLE = "s3cr3t-needle";

  @Test
  void aNeedleIsFoundInEveryFormAndInNames(@TempDir Path folder) throws IOException {
    byte[] bytes = NEEDLE.getBytes(StandardCharsets.UTF_8);
    Files.write(
        folder.resolve("plain"), ("a " + NEEDLE + "\u0000").getBytes(StandardCharsets.UTF_8));
    Files.write(folder.resolve("wide"), ("\u00e4" + NEEDLE).getBytes(StandardCharsets.UTF_16LE));
    Files.writeString(folder.resolve("hexadecimal"), HexFormat.of().formatHex(bytes));
    Files.writeString(folder.resolve("base64"), Base64.getEncoder().encodeToString(bytes));
    Files.createFile(folder.resolve("named-" + NEEDLE));
    Files.writeString(folder.resolve("nothing"), "needle");
    Haystack hay = new Haystack();
    hay.addTree(folder);
    assertThat(hay.names()).hasSize(6);
    assertThat(hay.find(NEEDLE)).hasSize(5).noneMatch(name -> name.endsWith("nothing"));
  }
}
