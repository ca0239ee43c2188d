package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class CudaSelfTestTest {
  /** No operation launches them: storage as it is chosen never asks for what they do. */
  private static final Set<String> IDLE =
      Set.of("bias_add_bf16", "bias_add_f32", "random_normal_bf16");

  private static final Pattern KERNEL =
      Pattern.compile(
          "__global__\\s+void\\s+(?:__launch_bounds__\\([^)]*\\)\\s*)?(\\w+?)(##SUFFIX)?\\s*\\(");

  /** Every kernel of every source that this build ships. */
  private static Set<String> kernels() throws IOException {
    Set<String> names = new TreeSet<>();
    for (String family : KernelModule.FAMILIES) {
      String path = "/cuda/" + family + ".cu";
      try (InputStream source = CudaSelfTestTest.class.getResourceAsStream(path)) {
        String text = new String(source.readAllBytes(), StandardCharsets.UTF_8);
        Matcher matcher = KERNEL.matcher(text.replace("\\\n", "\n"));
        while (matcher.find()) {
          if (matcher.group(2) == null) {
            names.add(matcher.group(1));
          } else {
            names.add(matcher.group(1) + "bf16");
            names.add(matcher.group(1) + "f32");
          }
        }
      }
    }
    return names;
  }

  @Test
  void sourcesNameTheirKernels() throws IOException {
    assertThat(kernels())
        .hasSizeGreaterThan(50)
        .containsAll(IDLE)
        .contains("adamw_tensors", "attention_c64_bf16", "rope_f32", "loss_total");
  }

  @Test
  @Tag("gpu")
  void everyKernelThatAnOperationLaunchesIsTested() throws IOException {
    Set<String> expected = kernels();
    expected.removeAll(IDLE);
    Set<String> launched =
        SelfTest.run(0, line -> {}).stream()
            .map(command -> command.replaceAll("^kernel (\\w+)<<<.*$", "$1"))
            .collect(Collectors.toCollection(TreeSet::new));
    assertThat(launched).isEqualTo(expected);
  }
}
