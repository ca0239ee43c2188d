package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Which algorithm each product, or batch of them, uses, remembered as text: two processes that
 * measure may choose differently, and then differ in bits. One line per product: device, library,
 * shape, algorithm as hex, microseconds when it was measured; tabs between.
 */
final class ProductChoices {
  private static final String TAB = "\t";

  private final String machine;
  private final Map<String, String> lines = new TreeMap<>();
  private final Set<String> used = new TreeSet<>();

  /**
   * @param device name of the GPU
   * @param library name and version of what runs the products
   */
  ProductChoices(String device, String library) {
    machine = device + TAB + library;
  }

  /**
   * The algorithm of this product on this device and library, or null.
   *
   * @param product a {@link ProductBatch} as text
   */
  byte @Nullable [] find(String product) {
    String rest = lines.get(key(product));
    if (rest == null) {
      return null;
    }
    used.add(key(product));
    return HexFormat.of().parseHex(rest.substring(0, rest.indexOf(TAB)));
  }

  void add(String product, byte[] algorithm, float micros) {
    String rest =
        String.format(Locale.ROOT, "%s\t%.1f", HexFormat.of().formatHex(algorithm), micros);
    lines.put(key(product), rest);
    used.add(key(product));
  }

  /** Device, library and shape, as they begin a line. */
  String key(String product) {
    return machine + TAB + product.replace(" ", "");
  }

  /** Every line that was found or added here, in order of device, library and shape. */
  String encode() {
    StringBuilder text = new StringBuilder();
    used.forEach(key -> text.append(key).append(TAB).append(lines.get(key)).append('\n'));
    return text.toString();
  }

  /** Takes over lines; what is here already stays. */
  void adopt(String text) {
    text.lines().forEach(this::adoptLine);
  }

  private void adoptLine(String line) {
    String[] words = line.split(TAB, -1);
    if (words.length != 5 || !words[3].matches("([0-9a-f]{2})+")) {
      throw new DeviceException(
          "choices: expected device, library, shape, algorithm and time with tabs between, found "
              + line);
    }
    lines.putIfAbsent(String.join(TAB, words[0], words[1], words[2]), words[3] + TAB + words[4]);
  }
}
