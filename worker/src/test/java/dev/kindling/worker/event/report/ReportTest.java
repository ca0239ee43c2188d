package dev.kindling.worker.event.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class ReportTest {
  private static final String CONFIG = "model: {type: llama}\nsteps: 420\n";

  @TempDir Path folder;

  private String page(StoryOfARun story, String config) throws IOException {
    Path run = folder.resolve("a <b> & \"c\" run");
    story.write(run);
    Report.write(run, config);
    return Files.readString(run.resolve("report.html"));
  }

  /** The page is well-formed XML too, so that a strict parser sees every tag that is one. */
  private static Document parsed(String page) throws Exception {
    var factory = DocumentBuilderFactory.newInstance();
    factory.setExpandEntityReferences(false);
    return factory.newDocumentBuilder().parse(new InputSource(new StringReader(page)));
  }

  private static List<Element> elements(Document page, String name) {
    NodeList found = page.getElementsByTagName(name);
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < found.getLength(); i++) {
      elements.add((Element) found.item(i));
    }
    return elements;
  }

  private static long ofClass(Document page, String tag, String kind) {
    return elements(page, tag).stream()
        .filter(e -> List.of(e.getAttribute("class").split(" ", -1)).contains(kind))
        .count();
  }

  @Test
  void itShowsAttemptsFaultsAndCheckpointsOnOneAxis() throws Exception {
    String text = page(StoryOfARun.disturbed().torn(), CONFIG);
    Document page = parsed(text);
    assertThat(ofClass(page, "rect", "lane")).isEqualTo(6);
    assertThat(ofClass(page, "path", "fault")).isEqualTo(4);
    assertThat(ofClass(page, "circle", "checkpoint")).isEqualTo(11);
    assertThat(ofClass(page, "circle", "lost")).isEqualTo(1);
    int charts = elements(page, "figure").size() - 1;
    assertThat(charts).isEqualTo(7);
    assertThat(ofClass(page, "line", "fault")).isEqualTo(4L * charts);
    assertThat(ofClass(page, "line", "skip")).isEqualTo(charts);
    assertThat(text)
        .contains("420 steps in 6 attempts, 4 failures")
        .contains("the driver before this one ended without a word")
        .contains("executor 3 exited with 137")
        .contains(">rank 1 was lost: executor 3 exited with 137 at step 93</text>")
        .contains("nats per token")
        .contains("825add9d4f31")
        .contains("model: {type: llama}");
  }

  @Test
  void itLoadsNothingAndRunsNothing() throws Exception {
    String text = page(StoryOfARun.disturbed(), CONFIG);
    Document page = parsed(text);
    assertThat(elements(page, "script")).isEmpty();
    assertThat(elements(page, "link")).isEmpty();
    assertThat(elements(page, "img")).isEmpty();
    assertThat(text).doesNotContain("http:", "https:", "url(", "@import", "javascript:");
    for (Element element : elements(page, "*")) {
      NamedNodeMap attributes = element.getAttributes();
      for (int i = 0; i < attributes.getLength(); i++) {
        String name = attributes.item(i).getNodeName();
        assertThat(name).isNotIn("src", "href", "xlink:href", "style").doesNotStartWith("on");
      }
    }
    assertThat(text).contains("default-src 'none'");
  }

  @Test
  void hostileTextStaysText() throws Exception {
    String evil = "</pre><script>alert('x')</script>&amp;\u0001";
    String json = "</pre><script>alert('x')</script>&amp;\\u0001";
    StoryOfARun story =
        new StoryOfARun()
            .driverStarts(false)
            .attemptStarts()
            .steps(1, 3)
            .attemptFails(3, json)
            .driverEnds(6, json);
    Document page = parsed(page(story, evil));
    assertThat(elements(page, "script")).isEmpty();
    assertThat(elements(page, "h1").get(0).getTextContent()).isEqualTo("a <b> & \"c\" run");
    assertThat(elements(page, "pre").stream().map(Element::getTextContent))
        .hasSize(3)
        .allMatch("</pre><script>alert('x')</script>&amp;?"::equals);
  }

  @Test
  void aRunThatDidNothingHasAPage() throws Exception {
    StoryOfARun story =
        new StoryOfARun().driverStarts(false).attemptStarts().driverEnds(2, "no such file");
    String text = page(story, CONFIG);
    parsed(text);
    assertThat(text).contains("No step was reported.").contains("no such file").contains("failed");
    Path empty = Files.createDirectory(folder.resolve("empty"));
    Report.write(empty, CONFIG);
    parsed(Files.readString(empty.resolve("report.html")));
  }

  @Test
  void metricsOfAnOlderVersionHaveNoTimesAndNoHistory() throws Exception {
    Path run = Files.createDirectory(folder.resolve("old"));
    StringBuilder lines = new StringBuilder();
    for (int step = 1; step <= 20; step++) {
      lines.append(
          "{\"step\":%d,\"tokens\":%d,\"loss\":2.0,\"attempt\":%d}%n"
              .formatted(step, step * 64, step < 9 ? 1 : 2));
    }
    Files.writeString(run.resolve("metrics.jsonl"), lines);
    Report.write(run, CONFIG);
    Document page = parsed(Files.readString(run.resolve("report.html")));
    assertThat(ofClass(page, "rect", "lane")).isEqualTo(2);
    assertThat(elements(page, "figure")).hasSize(2);
  }

  @Test
  void aLongRunWithManyFailuresStaysSmall() throws Exception {
    StoryOfARun story = new StoryOfARun().driverStarts(false);
    for (int i = 0; i < 100; i++) {
      story
          .attemptStarts()
          .steps(500L * i + 1, 500L * i + 520)
          .attemptFails(500L * i + 520, "lost");
    }
    String text = page(story.driverEnds(6, "lost"), CONFIG);
    parsed(text);
    assertThat(text.length()).isLessThan(700_000);
  }

  @Test
  void valuesThatAreNotFiniteAreGaps() throws Exception {
    StoryOfARun story =
        new StoryOfARun().driverStarts(false).attemptStarts().steps(1, 5).skippedStep(6);
    String text = page(story.steps(7, 9).driverEnds(0, ""), CONFIG);
    String loss = text.substring(text.indexOf("<path class=\"curve loss\""));
    String path = loss.substring(0, loss.indexOf("/>"));
    assertThat(path.split("M", -1)).hasSize(3);
    assertThat(text).doesNotContain(">NaN<").doesNotContain("Infinity");
  }

  @Test
  void theShareOfAnswersIsACurveWhereItWasMeasured() throws Exception {
    StoryOfARun story = new StoryOfARun().driverStarts(false).attemptStarts().steps(1, 9);
    assertThat(page(story, CONFIG)).doesNotContain("Questions answered right");
    String text = page(story.answers(4, 0.25).answers(8, 0.5).driverEnds(0, ""), CONFIG);
    parsed(text);
    assertThat(text).contains("Questions answered right").contains("share of validation.choices");
  }
}
