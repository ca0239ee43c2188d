package dev.kindling.driver.ml;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/** What a model makes of a text. */
enum TextTask {
  /** The text that follows. */
  GENERATE(DataTypes.StringType),
  /** Mean log-probability of a token, in nats. */
  SCORE(DataTypes.DoubleType),
  /** The exponential of minus that. */
  PERPLEXITY(DataTypes.DoubleType);

  private final DataType type;

  TextTask(DataType type) {
    this.type = type;
  }

  /** Type of the column that it makes. */
  DataType type() {
    return type;
  }

  String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  static TextTask of(String word) {
    return valueOf(word.toUpperCase(Locale.ROOT));
  }

  static List<String> words() {
    return Arrays.stream(values()).map(TextTask::word).toList();
  }
}
