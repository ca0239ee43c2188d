package dev.kindling.driver.data;

import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Spark on two threads of this JVM, for the tests of a class. */
final class LocalSpark implements BeforeAllCallback, AfterAllCallback {
  private final Map<String, String> settings;
  private JavaSparkContext context;

  LocalSpark(Map<String, String> settings) {
    this.settings = settings;
  }

  JavaSparkContext context() {
    return context;
  }

  @Override
  public void beforeAll(ExtensionContext test) {
    SparkConf conf =
        new SparkConf()
            .setMaster("local[2]")
            .setAppName(test.getDisplayName())
            .set("spark.ui.enabled", "false");
    settings.forEach(conf::set);
    context = new JavaSparkContext(conf);
  }

  @Override
  public void afterAll(ExtensionContext test) {
    context.stop();
  }
}
