package dev.kindling.kernels.memory;

/**
 * A block of activation memory and when it is in use.
 *
 * @param value id of the value that first lives in it
 * @param first index of the node that writes it
 * @param last index of the last node that touches it or what took over its memory
 */
public record Lifetime(int value, long bytes, int first, int last) {
  public boolean overlaps(Lifetime other) {
    return first <= other.last && other.first <= last;
  }
}
