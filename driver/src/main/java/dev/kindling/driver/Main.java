package dev.kindling.driver;

import dev.kindling.driver.cli.Bodies;
import dev.kindling.driver.cli.Kindling;
import dev.kindling.worker.launch.SerialFilter;
import java.io.PrintWriter;
import java.nio.charset.Charset;

/** Entry point of every command; see {@link Kindling} for the list. */
public final class Main {
  private Main() {}

  public static void main(String[] args) {
    SerialFilter.refuseAllButSpark();
    // The terminal's own charset: the JDK's console streams are UTF-8 only where the locale is.
    Charset terminal = Charset.defaultCharset();
    PrintWriter out = new PrintWriter(System.out, true, terminal);
    PrintWriter err = new PrintWriter(System.err, true, terminal);
    // Spark leaves threads behind that are no daemons, so the end is always explicit.
    System.exit(Kindling.execute(new Bodies(), out, err, args));
  }
}
