package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.ChoiceException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
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

  private static final int MAX_BYTES = 1 << 26;

  /** A folder with such a file. */
  private record Source(Storage folder) {
    @Override
    public String toString() {
      return folder.location() + "/" + FILE;
    }
  }

  private final Source ofRun;
  private final Source ofMachine;

  StoredChoices(Storage runDir, Storage cache) {
    ofRun = new Source(runDir);
    ofMachine = new Source(cache);
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
    for (Source source : List.of(ofRun, ofMachine)) {
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
              .map(Source::toString)
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

  private static String read(Source source) {
    try {
      return new String(source.folder().read(FILE, MAX_BYTES), StandardCharsets.UTF_8);
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
  private static void write(Source target, String choices) {
    try {
      if (!read(target).equals(choices)) {
        target.folder().replace(FILE, choices.getBytes(StandardCharsets.UTF_8));
      }
    } catch (IOException unwritable) {
      throw new DeviceException(target + ": cannot be written: " + unwritable, unwritable);
    }
  }
}
