package dev.kindling.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class DocumentsTest {
  /** A line of the tree: a name, two spaces or more, a phrase. */
  private static final Pattern FOLDER = Pattern.compile("^([a-z-]+) {2,}\\S.*$", Pattern.MULTILINE);

  private static final Pattern LINK = Pattern.compile("\\]\\(([^)#:]+)\\)");

  /** Words in back quotes that end like a source file of ours. */
  private static final Pattern SOURCE =
      Pattern.compile("`((?:[\\w.-]+/)+[\\w-]+\\.(?:java|py|yaml))`");

  private static String read(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.UTF_8);
  }

  private static List<Path> documents() throws IOException {
    List<Path> documents = new ArrayList<>(List.of(SourceTree.root().resolve("README.md")));
    try (Stream<Path> walk = Files.walk(SourceTree.root().resolve("docs"))) {
      walk.filter(p -> p.toString().endsWith(".md")).sorted().forEach(documents::add);
    }
    return documents;
  }

  @Test
  void theTreeInTheReadmeIsTheRealOne() throws IOException {
    String readme = read(SourceTree.root().resolve("README.md"));
    String house = readme.substring(readme.indexOf("## The house"));
    int from = house.indexOf("```\n") + 4;
    Matcher lines = FOLDER.matcher(house.substring(from, house.indexOf("```", from)));
    List<String> shown = lines.results().map(line -> line.group(1)).toList();
    try (Stream<Path> entries = Files.list(SourceTree.root())) {
      List<String> real =
          entries
              .filter(Files::isDirectory)
              .map(p -> String.valueOf(p.getFileName()))
              .filter(name -> !name.startsWith("."))
              .filter(name -> !List.of("target", "runs").contains(name))
              .toList();
      assertThat(shown).containsExactlyInAnyOrderElementsOf(real);
    }
  }

  @Test
  void linksAndSourceFilesOfDocumentsExist() throws IOException {
    int links = 0;
    for (Path document : documents()) {
      Path folder = Objects.requireNonNull(document.getParent());
      for (String link : all(LINK, read(document))) {
        assertThat(folder.resolve(link)).as(document + ": " + link).exists();
        links++;
      }
      for (String source : all(SOURCE, read(document))) {
        boolean pattern = source.contains("/My");
        if (!pattern) {
          assertThat(SourceTree.root().resolve(source)).as(document + ": " + source).exists();
        }
      }
    }
    assertThat(links).isGreaterThan(5);
  }

  private static List<String> all(Pattern pattern, String text) {
    return pattern.matcher(text).results().map(match -> match.group(1)).toList();
  }
}
