package dev.kindling.comm.ring;

/** The part of an algorithm that runs between moves of bytes. */
interface Flow {
  /** A flow whose pieces depend on nothing. */
  Flow FREE = () -> {};

  /** Adds up what arrived and allows what became ready. Called after each move. */
  void advance();
}
