package dev.kindling.driver.ml;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What README.md shows is what {@link KindlingTrainerTest} compiles and runs. */
class ReadmeExampleTest {
  private static final Path SOURCE =
      Path.of("src/test/java/dev/kindling/driver/ml/TrainAndGenerate.java");

  @Test
  void theReadmeQuotesTheExample() throws IOException {
    String source = Files.readString(SOURCE, StandardCharsets.UTF_8);
    int from = source.indexOf("// README: from here\n") + "// README: from here\n".length();
    String body = source.substring(from, source.indexOf("    // README: to here", from));
    assertThat(body.lines().count()).isLessThanOrEqualTo(21);
    assertThat(Files.readString(Path.of("../README.md"), StandardCharsets.UTF_8))
        .contains("```java\n" + body.stripTrailing().stripIndent() + "\n```\n");
  }
}
