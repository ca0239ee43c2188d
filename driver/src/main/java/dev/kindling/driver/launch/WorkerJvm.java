package dev.kindling.driver.launch;

import dev.kindling.worker.plan.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** What the JVM of a rank needs beside our classes, whoever starts it. */
final class WorkerJvm {
  private static final String JAVACPP = "org.bytedeco.javacpp.";

  /** Where every JVM finds options beside those of its command line. */
  private static final List<String> VARIABLES =
      List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS");

  private WorkerJvm() {}

  /**
   * Limits that do not fit. Tensors of the CPU are direct buffers; JavaCPP counts the whole
   * process, pinned memory and mapped libraries too, and would collect and sleep at each allocation
   * and then refuse it. With a GPU every native object is closed by hand, so that no queue of
   * phantom references is kept for them either.
   */
  static List<String> limits(Device device) {
    List<String> options = new ArrayList<>();
    options.add("-XX:MaxDirectMemorySize=1t");
    options.add("-D" + JAVACPP + "maxBytes=0");
    options.add("-D" + JAVACPP + "maxPhysicalBytes=0");
    if (device == Device.CUDA) {
      options.add("-D" + JAVACPP + "noPointerGC=true");
    }
    return options;
  }

  /**
   * The collector of a rank with a GPU, unless options or environment name one: a JVM told of two
   * does not start. Its pauses stay below a step: with a collection forced every 100 ms, steps of
   * 0.68 ms took 33 % longer under the default collector and 0.1 % under this one.
   *
   * @param environment of the JVM that will run, as far as it is known
   */
  static Optional<String> collector(
      Device device, List<String> options, Map<String, String> environment) {
    Stream<String> variables =
        VARIABLES.stream()
            .flatMap(name -> Stream.of(environment.getOrDefault(name, "").split("\\s+", -1)));
    boolean chosen =
        Stream.concat(options.stream(), variables)
            .anyMatch(option -> option.matches("-XX:\\+Use\\w*GC"));
    return device == Device.CUDA && !chosen ? Optional.of("-XX:+UseZGC") : Optional.empty();
  }

  /**
   * Options for plain processes: the modules and limits of this JVM, its heap among them, are right
   * for its children too, and come before ours.
   *
   * @param own arguments of this JVM
   * @param environment of this JVM, which its children get too
   */
  static List<String> children(List<String> own, Device device, Map<String, String> environment) {
    List<String> options =
        new ArrayList<>(
            own.stream()
                .filter(
                    option ->
                        option.startsWith("--add-")
                            || option.startsWith("-XX:")
                            || option.startsWith("-Xm")
                            || option.startsWith("-D" + JAVACPP)
                            || option.startsWith("-Dlog4j2."))
                .toList());
    for (String limit : limits(device)) {
      String name = limit.substring(0, limit.indexOf('=') + 1);
      if (options.stream().noneMatch(option -> option.startsWith(name))) {
        options.add(limit);
      }
    }
    // Its standard error is its log file, not a screen.
    options.add("-Dkindling.console=info");
    collector(device, options, environment).ifPresent(options::add);
    return options;
  }

  /**
   * For ranks that are threads of this JVM; too late once a native class is loaded, and without
   * effect on a property that the user set.
   */
  static void limitThisJvm(Device device) {
    for (String limit : limits(device)) {
      if (limit.startsWith("-D")) {
        String[] property = limit.substring(2).split("=", 2);
        System.getProperties().putIfAbsent(property[0], property[1]);
      }
    }
  }
}
