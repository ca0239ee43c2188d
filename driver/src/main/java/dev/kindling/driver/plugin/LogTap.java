package dev.kindling.driver.plugin;

import dev.kindling.worker.event.LogScope;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

/**
 * Hands what Spark's log framework lets through to the rank of the thread that logs, beside all
 * other places where it goes. Levels stay whatever the process's own configuration says.
 */
public final class LogTap extends AbstractAppender {
  private static final String NAME = "kindling-rank-log";

  private LogTap() {
    super(NAME, null, null, true, Property.EMPTY_ARRAY);
  }

  /** For the rest of this JVM's life; once is enough. False if another framework is in use. */
  public static synchronized boolean install() {
    if (!(LogManager.getContext(false) instanceof LoggerContext context)) {
      return false;
    }
    LoggerConfig root = context.getConfiguration().getRootLogger();
    if (!root.getAppenders().containsKey(NAME)) {
      LogTap tap = new LogTap();
      tap.start();
      root.addAppender(tap, null, null);
      context.updateLoggers();
    }
    return true;
  }

  @Override
  public void append(LogEvent event) {
    LogScope.current().ifPresent(log -> log.put(event.getTimeMillis(), text(event)));
  }

  private static String text(LogEvent event) {
    String logger = event.getLoggerName();
    StringWriter text = new StringWriter();
    text.append(event.getLevel().name())
        .append(' ')
        .append(logger.substring(logger.lastIndexOf('.') + 1))
        .append(": ")
        .append(event.getMessage().getFormattedMessage());
    Throwable thrown = event.getThrown();
    if (thrown != null) {
      text.append('\n');
      thrown.printStackTrace(new PrintWriter(text));
    }
    return text.toString();
  }
}
