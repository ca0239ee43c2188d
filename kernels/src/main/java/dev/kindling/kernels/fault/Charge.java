package dev.kindling.kernels.fault;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A line of a plan.
 *
 * @param process who has to be there, nobody in particular if absent
 * @param times how often
 * @param millis for {@link Action#SLEEP}
 */
record Charge(
    Failpoint point,
    boolean after,
    Optional<String> process,
    int times,
    Action action,
    long millis) {
  enum Action {
    HALT,
    KILL9,
    STOP,
    THROW,
    SLEEP
  }

  private static final Pattern LINE =
      Pattern.compile(
          "([a-z.]+)\\.(before|after)(?:@(driver|rank\\d{1,4}))?:(\\d{1,9})"
              + ":(?:(halt|kill9|stop|throw)|(sleep):(\\d{1,9}))");

  /**
   * @param where file and number of the line, for the message
   * @throws IllegalArgumentException if it is none
   */
  static Charge parse(String line, String where) {
    Matcher found = LINE.matcher(line);
    Optional<Failpoint> point =
        found.matches()
            ? Arrays.stream(Failpoint.values())
                .filter(p -> p.moment(true).equals(found.group(1) + ".after"))
                .findFirst()
            : Optional.empty();
    if (point.isEmpty() || Integer.parseInt(found.group(4)) == 0) {
      throw new IllegalArgumentException(
          where
              + ": expected POINT.before|after[@driver|@rankN]:TIMES:halt|kill9|stop|throw|sleep:MS"
              + " with a point of Failpoint and at least one time, found "
              + line);
    }
    boolean sleep = found.group(6) != null;
    return new Charge(
        point.get(),
        found.group(2).equals("after"),
        Optional.ofNullable(found.group(3)),
        Integer.parseInt(found.group(4)),
        Action.valueOf((sleep ? found.group(6) : found.group(5)).toUpperCase(Locale.ROOT)),
        sleep ? Long.parseLong(found.group(7)) : 0);
  }

  boolean concerns(Failpoint met, boolean metAfter, String who) {
    return point == met && after == metAfter && process.orElse(who).equals(who);
  }
}
