package dev.kindling.comm.ring;

/** What a message belongs to; its ordinal travels in the header. */
enum Operation {
  ALL_REDUCE("allReduce"),
  ALL_GATHER("allGather"),
  REDUCE_SCATTER("reduceScatter"),
  BROADCAST("broadcast"),
  ALL_TO_ALL("allToAll"),
  POINT_TO_POINT("send/receive");

  private final String word;

  Operation(String word) {
    this.word = word;
  }

  String word() {
    return word;
  }
}
