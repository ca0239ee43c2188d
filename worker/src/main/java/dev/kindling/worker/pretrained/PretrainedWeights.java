package dev.kindling.worker.pretrained;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.checkpoint.FloatCast;
import dev.kindling.worker.checkpoint.SafetensorsFile;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.checkpoint.TensorEntry;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.ModelFamily;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a model directory as the parameters of its family: every parameter has its tensor,
 * of its shape and in F32, BF16 or F16, and no tensor is left over. Names may lack the prefix of
 * the base model ({@code wte.weight} for {@code transformer.wte.weight}), as transformers writes
 * models without a head. Only what is asked for is read, in pieces of a few MiB; one file is open
 * at a time. For one thread.
 */
public final class PretrainedWeights implements FirstValues, ExportedTensors {
  static final int PIECE_BYTES = 4 << 20;

  /** Names in a message; the rest is counted. */
  private static final int SHOWN_MAX = 20;

  /** Constants that older versions of transformers stored beside the weights. */
  private static final Pattern CONSTANT =
      Pattern.compile("(.*\\.)?(attn\\.(bias|masked_bias)|rotary_emb\\.inv_freq)");

  /**
   * A second copy of the embedding table; transformers too reads the table where heads are tied.
   */
  private static final String HEAD = "lm_head.weight";

  private final WeightFiles files;

  /** By the name of the parameter, in the order of names. */
  private final Map<String, WeightFiles.Place> places;

  private final ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private @Nullable String openName;
  private @Nullable SafetensorsFile openFile;

  private PretrainedWeights(WeightFiles files, Map<String, WeightFiles.Place> places) {
    this.files = files;
    this.places = Collections.unmodifiableMap(places);
  }

  /**
   * Opens the weights of a directory; reads headers, no weight.
   *
   * @throws CheckpointException if a file or a tensor is missing, left over, or not what the family
   *     expects
   */
  public static PretrainedWeights open(ModelDirectory directory) {
    WeightFiles files = WeightFiles.open(directory.folder());
    return new PretrainedWeights(files, new Match(directory, files).places());
  }

  /** As {@link #open}, for a family that was resolved before: the directory may be another now. */
  public static PretrainedWeights open(ModelDirectory directory, ModelFamily expected) {
    if (!directory.family().equals(expected)) {
      throw new CheckpointException(
          directory.folder().shown(ModelDirectory.CONFIG)
              + ": expected the model.family of the configuration, "
              + expected
              + ", found "
              + directory.family());
    }
    return open(directory);
  }

  /** Of all weight files, 64 hexadecimal digits; reads every byte of them. */
  public String sha256() {
    return files.sha256();
  }

  /** Types by the names of parameters. */
  public Map<String, SafetensorsType> dtypes() {
    Map<String, SafetensorsType> dtypes = new TreeMap<>();
    places.forEach((name, place) -> dtypes.put(name, place.entry().dtype()));
    return dtypes;
  }

  @Override
  public void fill(Param param, long from, Span target) {
    WeightFiles.Place place = place(param.name());
    TensorEntry entry = place.entry();
    int size = entry.dtype().bytes();
    ByteBuffer out = target.buffer();
    long end = (from + target.bytes() / Float.BYTES) * size;
    for (long at = from * size; at < end; at += PIECE_BYTES) {
      piece.clear().limit((int) Math.min(PIECE_BYTES, end - at));
      file(place.file()).readBytes(entry, at, piece);
      int written = out.position();
      FloatCast.cast(entry.dtype(), piece.flip(), SafetensorsType.F32, out);
      requireFinite(place, at / size, out, written);
    }
  }

  private WeightFiles.Place place(String param) {
    return Objects.requireNonNull(places.get(param), () -> "no parameter " + param);
  }

  private SafetensorsFile file(String name) {
    SafetensorsFile file = openFile;
    if (file == null || !name.equals(openName)) {
      close();
      file = files.open(name);
      openFile = file;
      openName = name;
    }
    return file;
  }

  private void requireFinite(WeightFiles.Place place, long first, ByteBuffer floats, int from) {
    for (int at = from; at < floats.position(); at += Float.BYTES) {
      float value = floats.getFloat(at);
      if (!Float.isFinite(value)) {
        TensorEntry entry = place.entry();
        long element = first + (at - from) / Float.BYTES;
        SafetensorsFile file = file(place.file());
        long offset = file.header().dataStart() + entry.begin() + element * entry.dtype().bytes();
        throw new CheckpointException(
            file.header().file()
                + ": tensor "
                + entry.name()
                + ": byte "
                + offset
                + ": element "
                + index(element, entry.dims())
                + ": expected a finite number, found "
                + value);
      }
    }
  }

  /** The place of an element in a tensor, outermost index first. */
  private static List<Long> index(long element, List<Long> dims) {
    List<Long> index = new ArrayList<>();
    long rest = element;
    for (int i = dims.size() - 1; i >= 0; i--) {
      index.add(0, rest % dims.get(i));
      rest /= dims.get(i);
    }
    return index;
  }

  @Override
  public List<Stored> tensors() {
    List<Stored> stored = new ArrayList<>();
    places.forEach(
        (name, place) ->
            stored.add(
                new Stored(name, place.entry().dtype(), place.entry().dims(), Optional.empty())));
    return List.copyOf(stored);
  }

  @Override
  public void read(Stored tensor, long offset, ByteBuffer target) {
    WeightFiles.Place place = place(tensor.name());
    file(place.file()).readBytes(place.entry(), offset, target);
  }

  @Override
  public void close() {
    SafetensorsFile file = openFile;
    openFile = null;
    if (file != null) {
      file.close();
    }
  }

  /** Finds the tensor of each parameter. */
  private static final class Match {
    private final ModelDirectory directory;
    private final Map<String, WeightFiles.Place> left;
    private final String prefix;

    Match(ModelDirectory directory, WeightFiles files) {
      this.directory = directory;
      this.left = new LinkedHashMap<>(files.tensors());
      // The embedding table comes first and belongs to the base model.
      String first = directory.params().get(0).name();
      this.prefix = first.substring(0, first.indexOf('.') + 1);
    }

    Map<String, WeightFiles.Place> places() {
      Map<String, WeightFiles.Place> places = new TreeMap<>();
      List<String> missing = new ArrayList<>();
      for (Param param : directory.params()) {
        WeightFiles.Place place = take(param.name());
        if (place == null) {
          missing.add(param.name());
        } else {
          check(param, place);
          places.put(param.name(), place);
        }
      }
      left.keySet().removeIf(name -> CONSTANT.matcher(name).matches());
      if (!places.containsKey(HEAD)) {
        left.remove(HEAD);
      }
      if (!missing.isEmpty()) {
        throw new CheckpointException(
            directory.folder()
                + ": expected the tensors of its "
                + directory.config().text("model_type")
                + " model, found no "
                + listed(missing)
                + (left.isEmpty() ? "" : "; left over: " + listed(left.keySet())));
      }
      if (!left.isEmpty()) {
        throw new CheckpointException(
            directory.folder()
                + ": expected the tensors of its "
                + directory.config().text("model_type")
                + " model alone, found also "
                + listed(left.keySet()));
      }
      return places;
    }

    private WeightFiles.@Nullable Place take(String param) {
      WeightFiles.Place place = left.remove(param);
      return place == null && param.startsWith(prefix)
          ? left.remove(param.substring(prefix.length()))
          : place;
    }

    private void check(Param param, WeightFiles.Place place) {
      TensorEntry entry = place.entry();
      List<Long> dims = param.shape().dims().stream().map(Integer::longValue).toList();
      String where = directory.folder().shown(place.file()) + ": tensor " + entry.name() + ": ";
      if (!entry.dims().equals(dims)) {
        throw new CheckpointException(
            where + "expected shape " + dims + " after config.json, found " + entry.dims());
      }
      if (!FloatCast.knows(entry.dtype())) {
        throw new CheckpointException(where + "expected F32, BF16 or F16, found " + entry.dtype());
      }
    }

    private static String listed(Collection<String> names) {
      String some = String.join(", ", names.stream().limit(SHOWN_MAX).toList());
      return names.size() <= SHOWN_MAX
          ? some
          : some + " and " + (names.size() - SHOWN_MAX) + " more";
    }
  }
}
