package dev.kindling.worker.checkpoint;

/** Which part of a generation a rank writes. */
public record RankPart(PartKind kind, int rank, int worldSize) {
  public RankPart {
    Layout.partFile(kind, rank, worldSize);
  }

  String file() {
    return Layout.partFile(kind, rank, worldSize);
  }
}
