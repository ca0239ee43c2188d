package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.ChoiceException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What devices measured and chose, in a file of the run folder, so that all ranks and every later
 * attempt choose alike, and in a cache of this machine, so that another run of the same
 * configuration does. Rank 0 measures, the others follow; of devices that rank 0 has not, the
 * lowest rank's choice is stored.
 */
final class StoredChoices {
  /** In the run folder: device, library, shape, algorithm, microseconds; tabs between. */
  static final String FILE = "device_choices.tsv";

  private final Path ofRun;
  private final Path ofMachine;

  StoredChoices(Path runDir, Path cache) {
    ofRun = runDir.resolve(FILE);
    ofMachine = cache.resolve(FILE);
  }

  /**
   * Compiles on rank 0 with what is stored, then on the others with that and what rank 0 chose.
   * What a device of another model measures for itself is stored afterwards.
   *
   * @throws DeviceException if a stored line cannot be understood or run
   */
  <T> T compile(Backend backend, Communicator data, Supplier<T> compilation) {
    T compiled;
    if (data.rank() == 0) {
      adopt(backend);
      // If this fails the others learn it from the communicator, which closes.
      compiled = compiled(compilation);
      store(backend.choices());
      TextExchange.allGather(data, joined(read(ofRun), read(ofMachine)));
    } else {
      backend.adopt(TextExchange.allGather(data, "").get(0));
      compiled = compiled(compilation);
    }
    List<String> all = TextExchange.allGather(data, backend.choices());
    if (data.rank() == 0) {
      store(String.join("\n", all));
    }
    return compiled;
  }

  private void adopt(Backend backend) {
    for (Path source : List.of(ofRun, ofMachine)) {
      try {
        backend.adopt(read(source));
      } catch (DeviceException damaged) {
        throw new DeviceException(source + ": " + damaged.getMessage(), damaged);
      }
    }
  }

  private <T> T compiled(Supplier<T> compilation) {
    try {
      return compilation.get();
    } catch (ChoiceException unusable) {
      String source =
          Stream.of(ofRun, ofMachine)
              .filter(each -> read(each).lines().anyMatch(l -> key(l).equals(unusable.choice())))
              .map(Path::toString)
              .findFirst()
              .orElse(FILE + " of the run folder or the cache of rank 0");
      throw new DeviceException(
          source + ": " + unusable.getMessage() + "; without that line it is measured again",
          unusable);
    }
  }

  private void store(String choices) {
    if (!choices.isBlank()) {
      write(ofRun, joined(read(ofRun), choices));
      write(ofMachine, joined(read(ofMachine), choices));
    }
  }

  private static String read(Path source) {
    try {
      return Files.readString(source);
    } catch (NoSuchFileException none) {
      return "";
    } catch (IOException unreadable) {
      throw new DeviceException(source + ": cannot be read: " + unreadable, unreadable);
    }
  }

  /** A line that is there already wins: other runs were made with it. */
  private static String joined(String present, String choices) {
    Map<String, String> lines = new TreeMap<>();
    Stream.concat(present.lines(), choices.lines())
        .filter(line -> !line.isBlank())
        .forEach(line -> lines.putIfAbsent(key(line), line));
    return lines.values().stream().map(line -> line + "\n").collect(Collectors.joining());
  }

  /** All but algorithm and time. */
  private static String key(String line) {
    int time = line.lastIndexOf('\t');
    return line.substring(0, Math.max(0, line.lastIndexOf('\t', time - 1)));
  }

  /** Whole or not at all: another process may read or write the cache at the same time. */
  private static void write(Path target, String choices) {
    try {
      if (Files.exists(target) && Files.readString(target).equals(choices)) {
        return;
      }
      Path fresh = Files.createTempFile(target.getParent(), FILE, ".new");
      Files.write(fresh, choices.getBytes(StandardCharsets.UTF_8));
      Files.move(
          fresh, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException unwritable) {
      throw new DeviceException(target + ": cannot be written: " + unwritable, unwritable);
    }
  }
}
