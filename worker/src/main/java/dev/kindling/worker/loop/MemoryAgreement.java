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
import dev.kindling.worker.step.MemoryFit;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Which saving all ranks use. Rank 0 decides for the rank with the least memory. What is free on a
 * device is a measurement, so the choice is written to the run folder and taken again on resume as
 * long as it fits: another one may round differently.
 */
final class MemoryAgreement {
  /** File of the run folder that holds the choice. */
  static final String FILE = "memory.json";

  private static final String ERROR = "error ";
  private static final String UNKNOWN = "unknown";

  private final MemorySpec spec;
  private final Backend backend;
  private final Communicator data;
  private final EventSink events;
  private final LocalStorage folder;
  private long predicted;

  MemoryAgreement(
      MemorySpec spec, Backend backend, Communicator data, EventSink events, Path runDir) {
    this.spec = spec;
    this.backend = backend;
    this.data = data;
    this.events = events;
    this.folder = new LocalStorage(runDir);
  }

  /**
   * The step with the saving that all ranks use; every rank calls this.
   *
   * @throws DeviceException on every rank if nothing that the specification admits fits
   */
  StepGraphs agree(StepGraphs graphs) {
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
    if (limit.isEmpty()) {
      return encode(fit.first());
    }
    try {
      Optional<MemorySaving> recorded = spec.limit().isPresent() ? Optional.empty() : read();
      if (recorded.isPresent() && fit.admits(recorded.get())) {
        predicted = fit.price(recorded.get());
        if (predicted <= limit.get()) {
          return encode(recorded.get());
        }
      }
      MemoryFit.Candidate chosen = fit.choose(limit.get());
      predicted = chosen.bytes();
      recorded.ifPresent(before -> warn(before, chosen.saving()));
      write(chosen, limit.get());
      return encode(chosen.saving());
    } catch (DeviceException tooLittle) {
      return ERROR + tooLittle.getMessage();
    }
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

  private void warn(MemorySaving before, MemorySaving now) {
    String text =
        "memory: this run used " + before + ", which does not fit any more; from here on " + now;
    events.emit(new LogLine(0, LogLine.Level.WARN, text));
  }

  private Optional<MemorySaving> read() {
    try {
      if (!folder.exists(FILE)) {
        return Optional.empty();
      }
      try (StorageInput input = folder.open(FILE)) {
        byte[] bytes = new byte[Math.toIntExact(input.length())];
        input.readFully(0, ByteBuffer.wrap(bytes));
        Json.Obj stored = JsonReader.read(bytes, FILE).asObject(FILE);
        return Optional.of(
            decode(
                stored.text("recompute")
                    + " "
                    + stored.integer("loss_chunks", 1, Integer.MAX_VALUE)));
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private void write(MemoryFit.Candidate chosen, long limit) {
    Json.Obj stored =
        Json.object()
            .put("recompute", word(chosen.saving().recompute()))
            .put("loss_chunks", chosen.saving().lossChunks())
            .put("predicted_bytes", chosen.bytes())
            .put("limit_bytes", limit)
            .build();
    try {
      folder.replace(FILE, stored.bytes());
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

  private static MemorySaving decode(String text) {
    List<String> words = List.of(text.split(" ", -1));
    Recompute.Level level = Recompute.Level.valueOf(words.get(0).toUpperCase(Locale.ROOT));
    return new MemorySaving(level, Integer.parseInt(words.get(1)));
  }
}
