package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonException;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The header of a safetensors file, believed only after every rule holds: length within the file
 * and 100 MB, strict JSON without duplicate keys, at most 1,000,000 tensors, names of at most 512
 * bytes, at most 8 dimensions, no unknown key in an entry, extents times element size equal to the
 * byte range (checked multiplication), ranges that follow each other from 0 to the exact end of the
 * file. Every refusal names file, tensor, byte, expected, found; nothing is allocated for tensors
 * before.
 *
 * @param file name that errors show
 * @param dataStart byte of the file where tensor bytes begin
 * @param tensors entries by name, in the order of their bytes
 * @param metadata the strings under {@code __metadata__}
 */
public record SafetensorsHeader(
    String file, long dataStart, Map<String, TensorEntry> tensors, Map<String, String> metadata) {
  static final int MAX_HEADER_BYTES = 100_000_000;
  static final int MAX_OWN_HEADER_BYTES = 16 << 20;
  static final int MAX_TENSORS = 1_000_000;
  static final int MAX_NAME_BYTES = 512;
  static final int MAX_RANK = 8;
  private static final String METADATA = "__metadata__";
  private static final Set<String> ENTRY_KEYS = Set.of("dtype", "shape", "data_offsets");
  private static final JsonReader.Limits LIMITS =
      new JsonReader.Limits(4, 1 << 20, 20, 16 * MAX_TENSORS);

  public SafetensorsHeader {
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
  }

  /** Reads and checks the header of an open file. */
  public static SafetensorsHeader read(StorageInput input, String file) throws IOException {
    long fileBytes = input.length();
    if (fileBytes < 10) {
      throw new CheckpointException(
          file + ": byte 0: expected a header length and a header (10 bytes), found " + fileBytes);
    }
    ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    input.readFully(0, length);
    long headerBytes = length.getLong(0);
    long most = Math.min(MAX_HEADER_BYTES, fileBytes - 8);
    if (headerBytes < 2 || headerBytes > most) {
      throw new CheckpointException(
          file
              + ": byte 0: expected a header length in [2, "
              + most
              + "], found "
              + Long.toUnsignedString(headerBytes));
    }
    ByteBuffer text = ByteBuffer.allocate((int) headerBytes);
    input.readFully(8, text);
    return parse(text.array(), file, fileBytes - 8 - headerBytes);
  }

  /** Checks a header text for a file that holds {@code dataBytes} after it. */
  static SafetensorsHeader parse(byte[] text, String file, long dataBytes) {
    if (text[0] != '{') {
      throw new CheckpointException(
          file + ": byte 8: expected '{', found byte " + (text[0] & 0xff));
    }
    try {
      Json.Obj header = JsonReader.read(text, file, LIMITS).asObject("header");
      Map<String, String> metadata =
          header.find(METADATA).isPresent() ? header.stringMap(METADATA) : Map.of();
      List<TensorEntry> entries = new ArrayList<>();
      for (var member : header.members().entrySet()) {
        if (!member.getKey().equals(METADATA)) {
          entries.add(entry(member.getKey(), member.getValue()));
        }
      }
      if (entries.size() > MAX_TENSORS) {
        throw new CheckpointException(
            file + ": expected at most " + MAX_TENSORS + " tensors, found " + entries.size());
      }
      return new SafetensorsHeader(
          file, 8L + text.length, inOrder(entries, file, dataBytes), metadata);
    } catch (JsonException broken) {
      throw new CheckpointException("header of " + broken.getMessage(), broken);
    }
  }

  private static TensorEntry entry(String name, Json value) {
    Json.Obj entry = value.asObject(name);
    int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (nameBytes == 0 || nameBytes > MAX_NAME_BYTES) {
      throw wrong(
          entry, "tensor name: expected 1 to " + MAX_NAME_BYTES + " bytes, found " + nameBytes);
    }
    for (String key : entry.members().keySet()) {
      if (!ENTRY_KEYS.contains(key)) {
        throw wrong(entry, "tensor " + name + ": unknown key " + Json.of(key).write());
      }
    }
    SafetensorsType dtype = dtype(name, entry);
    List<Long> dims = new ArrayList<>();
    for (Json dim : entry.list("shape")) {
      dims.add(dim.asInteger("tensor " + name + ": shape", 0, 1L << 53));
    }
    if (dims.size() > MAX_RANK) {
      throw wrong(
          entry,
          "tensor "
              + name
              + ": expected at most "
              + MAX_RANK
              + " dimensions, found "
              + dims.size());
    }
    List<Json> offsets = entry.list("data_offsets");
    if (offsets.size() != 2) {
      throw wrong(entry, "tensor " + name + ": expected 2 data_offsets, found " + offsets.size());
    }
    long begin = offsets.get(0).asInteger("tensor " + name + ": data_offsets", 0, 1L << 53);
    long end = offsets.get(1).asInteger("tensor " + name + ": data_offsets", begin, 1L << 53);
    long bytes = bytes(name, entry, dtype, dims);
    if (bytes != end - begin) {
      throw wrong(
          entry,
          "tensor "
              + name
              + ": expected "
              + bytes
              + " bytes for "
              + dtype
              + dims
              + ", found "
              + (end - begin));
    }
    return new TensorEntry(name, dtype, dims, begin, end);
  }

  private static SafetensorsType dtype(String name, Json.Obj entry) {
    String found = entry.text("dtype");
    for (SafetensorsType dtype : SafetensorsType.values()) {
      if (dtype.name().equals(found)) {
        return dtype;
      }
    }
    throw wrong(entry, "tensor " + name + ": unknown dtype " + Json.of(found).write());
  }

  private static long bytes(String name, Json.Obj entry, SafetensorsType dtype, List<Long> dims) {
    try {
      long elements = 1;
      for (long dim : dims) {
        elements = Math.multiplyExact(elements, dim);
      }
      return Math.multiplyExact(elements, (long) dtype.bytes());
    } catch (ArithmeticException overflow) {
      throw wrong(
          entry, "tensor " + name + ": expected fewer than 2^63 bytes, found " + dtype + dims);
    }
  }

  private static Map<String, TensorEntry> inOrder(
      List<TensorEntry> entries, String file, long dataBytes) {
    entries.sort(Comparator.comparingLong(TensorEntry::begin).thenComparingLong(TensorEntry::end));
    Map<String, TensorEntry> ordered = new LinkedHashMap<>();
    long at = 0;
    for (TensorEntry entry : entries) {
      if (entry.begin() != at) {
        throw new CheckpointException(
            file
                + ": tensor "
                + entry.name()
                + ": expected data to begin at "
                + at
                + ", found "
                + entry.begin());
      }
      at = entry.end();
      if (at > dataBytes) {
        throw new CheckpointException(
            file
                + ": tensor "
                + entry.name()
                + ": expected data to end within "
                + dataBytes
                + " bytes, found "
                + at);
      }
      ordered.put(entry.name(), entry);
    }
    if (at != dataBytes) {
      throw new CheckpointException(
          file + ": expected " + at + " bytes of tensors, found " + dataBytes);
    }
    return ordered;
  }

  private static JsonException wrong(Json.Obj entry, String message) {
    return new JsonException(entry.place().file(), entry.place().offset(), message);
  }

  /**
   * The header text for tensors in this order, padded with spaces so that data begins at a multiple
   * of 8.
   */
  static byte[] write(List<TensorEntry> tensors, Map<String, String> metadata) {
    Json.Building header = Json.object();
    if (!metadata.isEmpty()) {
      header.put(METADATA, Json.strings(metadata));
    }
    for (TensorEntry tensor : tensors) {
      header.put(
          tensor.name(),
          Json.object()
              .put("dtype", tensor.dtype().name())
              .put("shape", Json.of(tensor.dims().stream().map(Json::of).toList()))
              .put("data_offsets", Json.of(List.of(Json.of(tensor.begin()), Json.of(tensor.end()))))
              .build());
    }
    byte[] text = header.build().bytes();
    int padded = (text.length + 7) / 8 * 8;
    if (padded > MAX_OWN_HEADER_BYTES) {
      throw new CheckpointException(
          "expected a header of at most " + MAX_OWN_HEADER_BYTES + " bytes, found " + padded);
    }
    byte[] result = java.util.Arrays.copyOf(text, padded);
    java.util.Arrays.fill(result, text.length, padded, (byte) ' ');
    return result;
  }
}
