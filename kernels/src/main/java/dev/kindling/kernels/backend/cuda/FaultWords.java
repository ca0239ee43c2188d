package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.CrossEntropy;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiFunction;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * Words behind the outputs that kernels lower to the first place whose number lies outside its
 * table. They travel to the host with the outputs, so that a run that read past a table ends in an
 * error instead of in a wrong loss, at no cost of its own.
 */
final class FaultWords {
  /** Four a window of a generator; their lengths double from 32 tokens to the context. */
  private static final int CAPACITY = 64;

  /** Bytes behind the output arena. */
  static final int BYTES = CAPACITY * Integer.BYTES;

  private static final int NONE = Integer.MAX_VALUE;

  /**
   * Numbers that a kernel reads.
   *
   * @param variable null if a node computed them
   * @param first place in the variable of the first one
   */
  record Numbers(@Nullable Variable variable, int first) {}

  /**
   * What one word watches.
   *
   * @param what the numbers are, up to the place, which follows
   * @param variable null if a node computed them
   */
  private record Site(String what, @Nullable Variable variable, int rows) {}

  private final List<Site> sites = new ArrayList<>();

  /** By site: kernels that read the same variable from different places on share a word. */
  private final List<Set<Integer>> firsts = new ArrayList<>();

  private final long address;

  /**
   * @param address of the words on the device
   */
  FaultWords(long address) {
    this.address = address;
  }

  /** Marks the words on the device as never lowered. */
  void reset() {
    Address.Device words = Address.Device.at(address);
    Cuda.check(JCudaDriver.cuMemsetD32(words, NONE, CAPACITY), "cuMemsetD32 fault words");
  }

  /** Marks the host's words, which begin at this byte, as never lowered. */
  static void reset(Span host, long at) {
    for (int i = 0; i < CAPACITY; i++) {
      host.putInt(at / Integer.BYTES + i, NONE);
    }
  }

  /** Device address of the word that watches these numbers, the same for equal arguments. */
  long word(String what, Numbers numbers, int rows) {
    Site site = new Site(what, numbers.variable(), rows);
    int index = sites.indexOf(site);
    if (index < 0) {
      index = sites.size();
      sites.add(site);
      firsts.add(new TreeSet<>());
    }
    firsts.get(index).add(numbers.first());
    if (index >= CAPACITY) {
      throw new DeviceException(
          "cuda: expected at most " + CAPACITY + " kinds of ids in a memory, found also " + site);
    }
    return address + (long) index * Integer.BYTES;
  }

  boolean watched() {
    return !sites.isEmpty();
  }

  /**
   * @param host words of a run that has ended, from this byte on
   * @param inputs of that run: the number at a place of a variable
   * @throws InputException if a kernel met a number outside its table
   */
  void check(Span host, long at, BiFunction<Variable, Integer, Integer> inputs) {
    for (int i = 0; i < sites.size(); i++) {
      int place = host.getInt(at / Integer.BYTES + i);
      if (place != NONE) {
        throw fault(sites.get(i), firsts.get(i), place, inputs);
      }
    }
  }

  /** Of kernels that share a word, the one whose number there is wrong lowered it. */
  private static InputException fault(
      Site site, Set<Integer> firsts, int place, BiFunction<Variable, Integer, Integer> inputs) {
    int found = -1;
    int at = place;
    for (int first : firsts) {
      at = first + place;
      found = site.variable() == null ? -1 : inputs.apply(site.variable(), at);
      if ((found < 0 && found != CrossEntropy.IGNORED) || found >= site.rows()) {
        break;
      }
    }
    return new InputException(site.what() + " " + at, site.rows(), found);
  }
}
