package dev.kindling.kernels.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The GPUs that CUDA would show to this process, read from files of the kernel's driver: no library
 * is loaded and no device touched. A container sees in {@code /proc} every GPU of its host; those
 * count whose device file it has too. Parts of a GPU (MIG) count where CUDA_VISIBLE_DEVICES names
 * them.
 */
public final class VisibleGpus {
  private static final Pattern MINOR = Pattern.compile("Device Minor:\\s*(\\d+)");
  private static final Pattern UUID = Pattern.compile("GPU UUID:\\s*(\\S+)");
  private static final Pattern MODEL = Pattern.compile("Model:\\s*(\\S.*)");

  /**
   * One GPU.
   *
   * @param minor number of its device file
   * @param uuid as in CUDA_VISIBLE_DEVICES; empty if the driver hides it
   */
  public record Gpu(int minor, String uuid, String model) {}

  private final List<Gpu> present;
  private final String visible;
  private final boolean restricted;

  private VisibleGpus(List<Gpu> present, Map<String, String> environment) {
    this.present = present;
    this.restricted = environment.containsKey("CUDA_VISIBLE_DEVICES");
    this.visible = environment.getOrDefault("CUDA_VISIBLE_DEVICES", "");
  }

  public static VisibleGpus ofThisProcess() {
    return under(Path.of("/"), System.getenv());
  }

  /**
   * @param root of the file system
   */
  public static VisibleGpus under(Path root, Map<String, String> environment) {
    List<Gpu> present = new ArrayList<>();
    Path folder = root.resolve("proc/driver/nvidia/gpus");
    try (Stream<Path> gpus = Files.isDirectory(folder) ? Files.list(folder) : Stream.empty()) {
      for (Path gpu : gpus.sorted().toList()) {
        String text = Files.readString(gpu.resolve("information"), StandardCharsets.UTF_8);
        int minor = Integer.parseInt(find(MINOR, text, "-1"));
        if (Files.exists(root.resolve("dev/nvidia" + minor))) {
          present.add(new Gpu(minor, find(UUID, text, ""), find(MODEL, text, "unknown model")));
        }
      }
    } catch (IOException unreadable) {
      // A folder that vanishes or may not be read shows no GPU, which is what the caller says then.
      return new VisibleGpus(List.of(), environment);
    }
    present.sort(Comparator.comparingInt(Gpu::minor));
    return new VisibleGpus(List.copyOf(present), environment);
  }

  private static String find(Pattern pattern, String text, String otherwise) {
    Matcher matcher = pattern.matcher(text);
    return matcher.find() ? matcher.group(1).strip() : otherwise;
  }

  /** GPUs of this machine or container, hidden ones included. */
  public List<Gpu> present() {
    return present;
  }

  /** How many CUDA shows: it stops at the first entry of CUDA_VISIBLE_DEVICES that is no GPU. */
  public int count() {
    return names().size();
  }

  /** The GPUs that CUDA shows, in its order, as CUDA_VISIBLE_DEVICES of a child names them. */
  public List<String> names() {
    if (!restricted) {
      return IntStream.range(0, present.size()).mapToObj(String::valueOf).toList();
    }
    List<String> taken = new ArrayList<>();
    for (String entry : visible.split(",", -1)) {
      String name = entry.strip();
      if (taken.contains(name) || !exists(name)) {
        break;
      }
      taken.add(name);
    }
    return List.copyOf(taken);
  }

  private boolean exists(String name) {
    if (name.isEmpty() || present.isEmpty()) {
      return false;
    }
    if (name.startsWith("MIG-")) {
      return true;
    }
    if (name.startsWith("GPU-")) {
      return present.stream().anyMatch(gpu -> gpu.uuid().startsWith(name));
    }
    return name.chars().allMatch(Character::isDigit)
        && name.length() < 4
        && Integer.parseInt(name) < present.size();
  }

  /** For messages: what there is, and what hides some of it. */
  @Override
  public String toString() {
    String found = present.size() + " GPU(s)";
    return restricted ? found + ", CUDA_VISIBLE_DEVICES=" + visible : found;
  }
}
