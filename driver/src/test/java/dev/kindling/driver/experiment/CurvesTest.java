package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class CurvesTest {
  private static final Map<String, SortedMap<Long, Double>> CURVES =
      new LinkedHashMap<>(Map.of("a<b", new TreeMap<>(Map.of(1L, 100.0, 10L, 50.0, 1000L, 0.0))));

  @Test
  void sizesStandOnALogarithmicAxisWithATickEach() {
    String picture = Curves.figures("Gbit/s & more", "efficiency", CURVES);
    assertThat(picture)
        .contains(">Gbit/s &amp; more</text>", ">efficiency</text>", ">a&lt;b</text>")
        .contains(">1</text>", ">10</text>", ">1,000</text>")
        .doesNotContain(">step</text>");
    String points = group(picture, "points=\"([^\"]*)\"");
    List<double[]> at =
        List.of(points.split(" ", -1)).stream()
            .map(point -> point.split(",", -1))
            .map(xy -> new double[] {Double.parseDouble(xy[0]), Double.parseDouble(xy[1])})
            .toList();
    double width = at.get(2)[0] - at.get(0)[0];
    assertThat(at.get(1)[0] - at.get(0)[0])
        .as("a third of three decades")
        .isCloseTo(width / 3, within(0.02));
    assertThat(at.get(1)[1]).isCloseTo((at.get(0)[1] + at.get(2)[1]) / 2, within(0.02));
    String tick = group(picture, "<text x=\"([0-9.]+)\"[^>]*>10</text>");
    assertThat(Double.parseDouble(tick)).isCloseTo(at.get(1)[0], within(0.06));
  }

  @Test
  void oneSizeIsAPointInThePicture() {
    String picture =
        Curves.figures("workers", "efficiency", Map.of("a", new TreeMap<>(Map.of(8L, 3.0))));
    assertThat(picture).doesNotContain("NaN", "Infinity").contains(">8</text>");
  }

  private static String group(String text, String pattern) {
    MatchResult match = Pattern.compile(pattern).matcher(text).results().findFirst().orElseThrow();
    return match.group(1);
  }
}
