package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class CudaSelfTestTest {
  /** No operation launches them: storage as it is chosen never asks for what they do. */
  private static final Set<String> IDLE =
      Set.of("bias_add_bf16", "bias_add_f32", "random_normal_bf16");

  /** Launched beside the graph. */
  private static final Set<String> BESIDE =
      Set.of("exposed_begin", "exposed_end", "hash_words", "payload_mean");

  private static final Pattern KERNEL =
      Pattern.compile(
          "__global__\\s+void\\s+(?:__launch_bounds__\\([^)]*\\)\\s*)?(\\w+?)(##SUFFIX)?\\s*\\(");

  /** Name, parameters and body of a macro over several lines. */
  private static final Pattern MACRO =
      Pattern.compile("#define (\\w+)\\(([^)]*)\\)((?:.*\\\\\n)+.*\n)");

  /** Every kernel of every source that this build ships. */
  private static Set<String> kernels() throws IOException {
    Set<String> names = new TreeSet<>();
    for (String family : KernelModule.FAMILIES) {
      String path = "/cuda/" + family + ".cu";
      try (InputStream source = CudaSelfTestTest.class.getResourceAsStream(path)) {
        String text = new String(source.readAllBytes(), StandardCharsets.UTF_8);
        MACRO.matcher(text).results().forEach(macro -> names.addAll(kernels(macro, text)));
        names.addAll(kernels(MACRO.matcher(text).replaceAll(""), ""));
      }
    }
    return names;
  }

  private static List<String> kernels(String text, String suffix) {
    String plain = text.replace("\\\n", "\n");
    return KERNEL.matcher(plain).results().map(found -> found.group(1) + suffix).toList();
  }

  /** Those of a macro, once for each suffix that it is called with. */
  private static List<String> kernels(MatchResult macro, String text) {
    int suffix = words(macro.group(2)).indexOf("SUFFIX");
    return Pattern.compile("(?m)^" + macro.group(1) + "\\(([^)]*)\\)")
        .matcher(text)
        .results()
        .flatMap(call -> kernels(macro.group(3), words(call.group(1)).get(suffix)).stream())
        .toList();
  }

  private static List<String> words(String list) {
    return Arrays.stream(list.split(",", -1)).map(String::strip).toList();
  }

  private static Set<String> names(Collection<String> commands) {
    return commands.stream()
        .filter(command -> command.startsWith("kernel "))
        .map(command -> command.replaceAll("^kernel (\\w+)<<<.*$", "$1"))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** What the self-test's graph launches, told without a device. */
  private static Set<String> bound(Precision precision) {
    Graph graph = SelfTestGraph.of(precision, AttentionCuda.WIDE_SHARED);
    boolean bf16 = precision == Precision.BF16;
    Anywhere variables = new Anywhere(RoleArenas.of(graph.variables(), List.of(graph), bf16));
    Layout layout = Layout.of(graph, precision, GroupRules.NONE);
    Binding.Place place = new Binding.Place(layout, variables, null, 132, 1L << 43, Map.of());
    Set<String> commands = new TreeSet<>();
    for (Group group : layout.groups()) {
      Binding binding = Binding.dry(place, group);
      CudaKernels.bind(binding);
      binding.commands().forEach(command -> commands.add(command.toString()));
    }
    return names(commands);
  }

  @Test
  void sourcesNameTheirKernels() throws IOException {
    assertThat(kernels())
        .hasSizeGreaterThan(50)
        .containsAll(IDLE)
        .containsAll(BESIDE)
        .contains("adamw_tensors", "attention_c64_bf16", "rope_f32", "loss_total")
        .contains("perturb_f32_f32", "perturb_f32_bf16", "perturb_bf16_bf16")
        .noneMatch(name -> name.endsWith("_"));
  }

  /** The same as on a GPU, as far as it can be told without one. */
  @Test
  void everyKernelThatAnOperationLaunchesIsInTheGraph() throws IOException {
    Set<String> expected = kernels();
    expected.removeAll(IDLE);
    expected.removeAll(BESIDE);
    Set<String> bound = new TreeSet<>();
    for (Precision precision : Precision.values()) {
      bound.addAll(bound(precision));
    }
    assertThat(bound).isEqualTo(expected);
  }

  @Test
  @Tag("gpu")
  void everyKernelThatAnOperationLaunchesIsTested() throws IOException {
    Set<String> expected = kernels();
    expected.removeAll(IDLE);
    assertThat(names(SelfTest.run(0, line -> {}))).isEqualTo(expected);
  }
}
