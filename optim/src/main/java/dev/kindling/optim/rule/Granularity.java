package dev.kindling.optim.rule;

/** What an estimated scaling factor belongs to. */
public enum Granularity {
  /** Each index of a matrix's longer dimension. */
  CHANNEL,
  /** The whole matrix: enough for rank 1, whose factors of single channels are noise. */
  TENSOR
}
