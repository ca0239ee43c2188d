package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.plan.MemorySpec;
import dev.kindling.worker.plan.WeightPlace;
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.TrainStep;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Which saving all ranks use. Rank 0 decides for the rank with the least memory. What is free on a
 * device is a measurement, so the choice is written to the run folder and taken again on resume as
 * long as it fits and {@code memory.limit} is the same: another one may round differently.
 */
final class MemoryAgreement {
  /** File of the run folder that holds the choice. */
  static final String FILE = "memory.json";

  private static final String LIMIT = "memory.limit";
  private static final String ERROR = "error ";
  private static final String UNKNOWN = "unknown";

  /** What the file holds: the choice, and the limit of the specification that it was made for. */
  private record Recorded(MemorySaving saving, Optional<ByteSize> limit) {}

  private final MemorySpec spec;
  private final Backend backend;
  private final Communicator data;
  private final EventSink events;
  private final Storage folder;
  private long predicted;

  MemoryAgreement(
      MemorySpec spec, Backend backend, Communicator data, EventSink events, Storage runDir) {
    this.spec = spec;
    this.backend = backend;
    this.data = data;
    this.events = events;
    this.folder = runDir;
  }

  /**
   * The step with the saving that all ranks use; every rank calls this.
   *
   * @throws DeviceException on every rank if nothing that the specification admits fits, or if the
   *     file of the run folder is damaged
   */
  TrainStep agree(TrainStep graphs) {
    MemoryFit fit = new MemoryFit(graphs, spec, backend::bytesNeeded);
    Optional<Long> limit = smallestLimit();
    String own = data.rank() == 0 ? decide(fit, limit) : "";
    String decided = TextExchange.allGather(data, own).get(0);
    if (decided.startsWith(ERROR)) {
      throw new DeviceException(decided.substring(ERROR.length()));
    }
    return graphs.with(decode(decided));
  }

  /** Of all ranks and of the specification; empty if no rank counts and none is given. */
  private Optional<Long> smallestLimit() {
    String own =
        backend.bytesAvailable().isPresent()
            ? Long.toString(backend.bytesAvailable().getAsLong())
            : UNKNOWN;
    Optional<Long> smallest = spec.limit().map(ByteSize::bytes);
    for (String free : TextExchange.allGather(data, own)) {
      if (!free.equals(UNKNOWN)) {
        long bytes = Long.parseLong(free);
        smallest = Optional.of(Math.min(bytes, smallest.orElse(bytes)));
      }
    }
    return smallest;
  }

  private String decide(MemoryFit fit, Optional<Long> limit) {
    try {
      Optional<Recorded> recorded = read();
      if (limit.isEmpty() && recorded.isEmpty()) {
        return encode(fit.first());
      }
      String changed = recorded.map(before -> changed(before, fit, limit)).orElse("");
      if (recorded.isPresent() && changed.isEmpty()) {
        predicted = fit.price(recorded.get().saving());
        return encode(recorded.get().saving());
      }
      MemoryFit.Candidate chosen = fit.choose(limit.orElse(Long.MAX_VALUE));
      predicted = chosen.bytes();
      recorded.ifPresent(before -> warn(before.saving(), changed, chosen.saving()));
      write(chosen, limit);
      return encode(chosen.saving());
    } catch (DeviceException tooLittle) {
      return ERROR + tooLittle.getMessage();
    }
  }

  /** Why the recorded choice cannot be taken again; empty if it can. */
  private String changed(Recorded before, MemoryFit fit, Optional<Long> limit) {
    if (!before.limit().equals(spec.limit())) {
      return "memory.limit was " + shown(before.limit()) + ", now " + shown(spec.limit());
    }
    if (!fit.admits(before.saving())) {
      return "which the configuration does not admit any more";
    }
    boolean fits = limit.isEmpty() || fit.price(before.saving()) <= limit.get();
    return fits ? "" : "which does not fit any more";
  }

  private static String shown(Optional<ByteSize> limit) {
    return limit.map(ByteSize::toString).orElse("none");
  }

  /** Tells predicted and measured bytes where a device counts; rank 0 alone speaks. */
  void report(StepProgram program) {
    if (data.rank() == 0 && backend.bytesReserved().isPresent()) {
      long reserved = program.bytesPeak();
      String text =
          String.format(
              Locale.ROOT,
              "memory: %s; predicted %,d bytes, reserved %,d (%+.2f %%)",
              program.shape().saving(),
              predicted,
              reserved,
              100.0 * (reserved - predicted) / predicted);
      events.emit(new LogLine(0, LogLine.Level.INFO, text));
    }
  }

  private void warn(MemorySaving before, String changed, MemorySaving now) {
    if (!now.equals(before)) {
      String text = "memory: this run used " + before + ", " + changed + "; from here on " + now;
      events.emit(new LogLine(0, LogLine.Level.WARN, text));
    }
  }

  private Optional<Recorded> read() {
    String file = folder.location() + "/" + FILE;
    try {
      if (!folder.exists(FILE)) {
        return Optional.empty();
      }
      try (StorageInput input = folder.open(FILE)) {
        byte[] bytes = new byte[Math.toIntExact(input.length())];
        input.readFully(0, ByteBuffer.wrap(bytes));
        return Optional.of(recorded(JsonReader.read(bytes, file).asObject("the choice")));
      }
    } catch (JsonException damaged) {
      throw new DeviceException(
          damaged.getMessage() + "; without the file the run chooses again", damaged);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private Recorded recorded(Json.Obj stored) {
    int chunks = (int) stored.integer("loss_chunks", 1, Integer.MAX_VALUE);
    String word = stored.text("recompute");
    for (Recompute.Level level : Recompute.Level.values()) {
      if (word(level).equals(word)) {
        return new Recorded(
            saving(level, chunks),
            stored
                .find(LIMIT)
                .map(limit -> new ByteSize(limit.asInteger(LIMIT, 1, Long.MAX_VALUE))));
      }
    }
    List<String> words = Stream.of(Recompute.Level.values()).map(MemoryAgreement::word).toList();
    Json.Place place = stored.get("recompute").place();
    throw new JsonException(
        place.file(),
        place.offset(),
        "recompute: expected one of " + String.join(", ", words) + ", found " + word);
  }

  private void write(MemoryFit.Candidate chosen, Optional<Long> limit) {
    Json.Building stored =
        Json.object()
            .put("recompute", word(chosen.saving().recompute()))
            .put("loss_chunks", chosen.saving().lossChunks())
            .put("predicted_bytes", chosen.bytes());
    limit.ifPresent(bytes -> stored.put("limit_bytes", bytes));
    spec.limit().ifPresent(bytes -> stored.put(LIMIT, bytes.bytes()));
    try {
      folder.replace(FILE, stored.build().bytes());
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static String encode(MemorySaving saving) {
    return word(saving.recompute()) + " " + saving.lossChunks();
  }

  private static String word(Recompute.Level level) {
    return level.name().toLowerCase(Locale.ROOT);
  }

  /** Where weights lie is said by the configuration alone, and changes no bit. */
  private MemorySaving saving(Recompute.Level level, int chunks) {
    return new MemorySaving(level, chunks, spec.weights() == WeightPlace.HOST);
  }

  private MemorySaving decode(String text) {
    List<String> words = List.of(text.split(" ", -1));
    Recompute.Level level = Recompute.Level.valueOf(words.get(0).toUpperCase(Locale.ROOT));
    return saving(level, Integer.parseInt(words.get(1)));
  }
}
