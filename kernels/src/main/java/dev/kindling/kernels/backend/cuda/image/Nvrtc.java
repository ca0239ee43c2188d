package dev.kindling.kernels.backend.cuda.image;

import static org.bytedeco.cuda.global.nvrtc.NVRTC_SUCCESS;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCompileProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcCreateProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcDestroyProgram;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBIN;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetCUBINSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetErrorString;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetPTX;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetPTXSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLog;
import static org.bytedeco.cuda.global.nvrtc.nvrtcGetProgramLogSize;
import static org.bytedeco.cuda.global.nvrtc.nvrtcVersion;

import dev.kindling.kernels.backend.DeviceException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.bytedeco.cuda.nvrtc._nvrtcProgram;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * NVIDIA's run-time compiler, a library of the CUDA toolkit. Needs no GPU, but its binding loads
 * libcuda.so.1.
 */
public final class Nvrtc implements KernelCompiler {
  private static final int LOG_LINES = 20;

  private final String identity;

  /**
   * @throws DeviceException if the library or its binding is missing
   */
  public Nvrtc() {
    int[] major = new int[1];
    int[] minor = new int[1];
    try {
      check(nvrtcVersion(major, minor), "nvrtcVersion");
    } catch (LinkageError missing) {
      throw new DeviceException(
          "cuda: this build holds kernel sources only (no nvcc when it was built) and NVRTC cannot"
              + " be loaded to compile them; expected libnvrtc.so.13 of CUDA 13 on LD_LIBRARY_PATH"
              + " or in /usr/local/cuda/lib64, found: "
              + MissingLibrary.reason(missing),
          missing);
    }
    identity = "NVRTC " + major[0] + "." + minor[0];
  }

  @Override
  public String identity() {
    return identity;
  }

  @Override
  public byte[] compile(KernelSource source, List<String> options) {
    String name = source.family() + ".cu";
    boolean machineCode = options.stream().anyMatch(option -> option.contains("sm_"));
    try (Texts headers = new Texts(source.headers().values());
        Texts names = new Texts(source.headers().keySet());
        Texts words = new Texts(options);
        BytePointer text = new BytePointer(source.text(), StandardCharsets.UTF_8);
        BytePointer file = new BytePointer(name, StandardCharsets.UTF_8);
        _nvrtcProgram program = new _nvrtcProgram()) {
      check(
          nvrtcCreateProgram(program, text, file, headers.size(), headers.array(), names.array()),
          "nvrtcCreateProgram " + name);
      try {
        int code = nvrtcCompileProgram(program, words.size(), words.array());
        if (code != NVRTC_SUCCESS) {
          throw new DeviceException(
              "cuda: %s refuses %s (%s): %s%n%s"
                  .formatted(identity, name, String.join(" ", options), words(code), log(program)));
        }
        return image(program, machineCode);
      } finally {
        check(nvrtcDestroyProgram(program), "nvrtcDestroyProgram");
      }
    }
  }

  private static byte[] image(_nvrtcProgram program, boolean machineCode) {
    try (SizeTPointer bytes = new SizeTPointer(1)) {
      if (machineCode) {
        check(nvrtcGetCUBINSize(program, bytes), "nvrtcGetCUBINSize");
        byte[] image = new byte[Math.toIntExact(bytes.get())];
        check(nvrtcGetCUBIN(program, image), "nvrtcGetCUBIN");
        return image;
      }
      check(nvrtcGetPTXSize(program, bytes), "nvrtcGetPTXSize");
      byte[] image = new byte[Math.toIntExact(bytes.get())];
      check(nvrtcGetPTX(program, image), "nvrtcGetPTX");
      return image;
    }
  }

  private static String log(_nvrtcProgram program) {
    try (SizeTPointer bytes = new SizeTPointer(1)) {
      check(nvrtcGetProgramLogSize(program, bytes), "nvrtcGetProgramLogSize");
      byte[] text = new byte[Math.toIntExact(bytes.get())];
      check(nvrtcGetProgramLog(program, text), "nvrtcGetProgramLog");
      return new String(text, StandardCharsets.UTF_8)
          .replace("\0", "")
          .lines()
          .limit(LOG_LINES)
          .collect(Collectors.joining("\n"));
    }
  }

  private static void check(int code, String call) {
    if (code != NVRTC_SUCCESS) {
      throw new DeviceException("cuda: " + call + ": " + words(code));
    }
  }

  /** The library's own string: not ours to free. */
  @SuppressWarnings("resource")
  private static String words(int code) {
    return nvrtcGetErrorString(code).getString() + " (" + code + ")";
  }

  /** Texts as an array of C strings. */
  private static final class Texts implements AutoCloseable {
    private final BytePointer[] texts;
    private final PointerPointer<BytePointer> array;

    Texts(Collection<String> strings) {
      texts =
          strings.stream()
              .map(string -> new BytePointer(string, StandardCharsets.UTF_8))
              .toArray(BytePointer[]::new);
      array = new PointerPointer<>(Math.max(1, texts.length));
      for (int i = 0; i < texts.length; i++) {
        array.put(i, texts[i]);
      }
    }

    PointerPointer<BytePointer> array() {
      return array;
    }

    int size() {
      return texts.length;
    }

    @Override
    public void close() {
      array.close();
      for (BytePointer text : texts) {
        text.close();
      }
    }
  }
}
