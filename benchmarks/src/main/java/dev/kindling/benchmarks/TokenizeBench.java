package dev.kindling.benchmarks;

import dev.kindling.worker.data.Bytes;
import dev.kindling.worker.data.Huggingface;
import dev.kindling.worker.data.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * Encodes the sources of this clone, a document at a time, as the preparation of data does: MB of
 * UTF-8 a second of one thread, and how much faster two threads are.
 *
 * <p>Options: {@code --tokenizer FILE} (a tokenizer.json; default the one with GPT-2's split that
 * the tests have, 4,096 tokens), {@code --separator TOKEN} (its document separator), {@code
 * --rounds N} (5).
 */
final class TokenizeBench implements Benchmark {
  private static final String OURS =
      "worker/src/test/resources/dev/kindling/worker/data/tokenizers/bpe-gpt2.tokenizer.json";
  private static final double MEGA = 1e6;

  @Override
  public void run(Results results, List<String> arguments) throws Exception {
    BenchOptions options =
        BenchOptions.of(
            arguments, Map.of("tokenizer", "", "separator", "<|endoftext|>", "rounds", "5"));
    Path home = KindlingProcess.home();
    String given = options.text("tokenizer");
    Path file = given.isEmpty() ? home.resolve(OURS) : Path.of(given);
    List<byte[]> documents = documents(home);
    Huggingface spec = new Huggingface(file.toString(), Optional.of(options.text("separator")));
    try (Tokenizer tokenizer = Tokenizer.open(spec);
        Tokenizer bytes = Tokenizer.open(new Bytes())) {
      measure(results, "json", tokenizer, documents, options.count("rounds"));
      measure(results, "bytes", bytes, documents, options.count("rounds"));
    }
  }

  private static List<byte[]> documents(Path home) throws IOException {
    List<byte[]> documents = new ArrayList<>();
    try (Stream<Path> files = Files.walk(home)) {
      for (Path file :
          files
              .filter(path -> path.toString().matches(".*/src/main/.*\\.java"))
              .sorted()
              .toList()) {
        documents.add(Files.readAllBytes(file));
      }
    }
    return documents;
  }

  private static void measure(
      Results results, String name, Tokenizer tokenizer, List<byte[]> documents, int rounds)
      throws Exception {
    List<Double> one = new ArrayList<>();
    List<Double> two = new ArrayList<>();
    long tokens = 0;
    for (int round = 0; round <= rounds; round++) {
      // In turn, so that a slow machine is slow for both; the first round warms up.
      tokens = 0;
      double alone = seconds(tokenizer, documents, 1);
      double both = seconds(tokenizer, documents, 2);
      for (byte[] document : documents) {
        tokens += tokenizer.encode(document).length;
      }
      if (round > 0) {
        one.add(alone);
        two.add(both);
      }
    }
    long bytes = documents.stream().mapToLong(document -> document.length).sum();
    double alone = KindlingCommand.median(one);
    results.add("tokenize." + name + ".one_core", bytes / MEGA / alone, "MB/s");
    results.add(
        "tokenize." + name + ".two_cores", bytes / MEGA / KindlingCommand.median(two), "MB/s");
    results.add("tokenize." + name + ".scaling", alone / KindlingCommand.median(two), "x");
    results.add("tokenize." + name + ".bytes_per_token", (double) bytes / tokens, "B");
  }

  /** Every thread takes every n-th document. */
  private static double seconds(Tokenizer tokenizer, List<byte[]> documents, int threads)
      throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Callable<Long>> parts = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int first = thread;
        parts.add(
            () -> {
              long count = 0;
              for (int i = first; i < documents.size(); i += threads) {
                count += tokenizer.encode(documents.get(i)).length;
              }
              return count;
            });
      }
      long begin = System.nanoTime();
      for (Future<Long> part : pool.invokeAll(parts)) {
        part.get();
      }
      return (System.nanoTime() - begin) / 1e9;
    } finally {
      pool.shutdown();
    }
  }
}
