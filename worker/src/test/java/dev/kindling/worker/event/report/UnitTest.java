package dev.kindling.worker.event.report;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class UnitTest {
  @Test
  void bytesAreShownInPowersOf1024() {
    assertThat(Unit.bytes(1000).show(1000)).isEqualTo("1,000 bytes");
    assertThat(Unit.bytes(3 << 20).show(3 << 20)).isEqualTo("3 MiB");
    assertThat(Unit.bytes(0).name()).isEqualTo("bytes");
    assertThat(Unit.bytes(Double.NaN).name()).isEqualTo("bytes");
  }

  @Test
  void numbersHaveThreeDigitsThatMatter() {
    assertThat(Unit.number(1.23456)).isEqualTo("1.23");
    assertThat(Unit.number(12345.6)).isEqualTo("12,346");
    assertThat(Unit.number(0.000012)).isEqualTo("1.20e-05");
    assertThat(Unit.number(Double.NaN)).isEqualTo("NaN");
  }

  @Test
  void spansAndClocks() {
    assertThat(Unit.span(4_000)).isEqualTo("4 s");
    assertThat(Unit.span(125_000)).isEqualTo("2 min 5 s");
    assertThat(Unit.span(3_600_000L * 50)).isEqualTo("2 d 2 h");
    assertThat(Unit.clock(245_000)).isEqualTo("4:05");
    assertThat(Unit.clock(11_045_000)).isEqualTo("3:04:05");
  }
}
