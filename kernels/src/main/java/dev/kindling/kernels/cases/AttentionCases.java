package dev.kindling.kernels.cases;

import static dev.kindling.kernels.cases.OpCases.NORMAL;
import static dev.kindling.kernels.cases.OpCases.f32;
import static dev.kindling.kernels.cases.OpCases.i32;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.Attention;
import dev.kindling.kernels.graph.op.AttentionGradient;
import dev.kindling.kernels.graph.op.Op;
import java.util.List;

/** Attention of whole sequences and of documents in them: heads, groups, widths, windows. */
final class AttentionCases {
  static final List<AttentionShape> SHAPES =
      List.of(
          new AttentionShape(1, 1, 2, 1),
          new AttentionShape(2, 1, 6, 7),
          new AttentionShape(4, 2, 8, 13),
          new AttentionShape(2, 2, 16, 65),
          new AttentionShape(3, 1, 4, 130),
          new AttentionShape(4, 2, 8, 13, 1),
          new AttentionShape(2, 1, 6, 7, 3),
          new AttentionShape(3, 1, 4, 130, 20),
          new AttentionShape(2, 1, 64, 200, 70),
          new AttentionShape(4, 2, 8, 131, 20),
          new AttentionShape(4, 2, 32, 70),
          new AttentionShape(2, 1, 80, 67, 20),
          new AttentionShape(3, 1, 96, 66),
          new AttentionShape(2, 2, 136, 9),
          new AttentionShape(2, 1, 256, 67, 30));
  private static final AttentionShape LARGE = new AttentionShape(8, 4, 64, 512);

  private AttentionCases() {}

  /** Two sequences, documents of five tokens. */
  static void add(OpCases cases, boolean large) {
    for (AttentionShape shape : large ? List.of(LARGE) : SHAPES) {
      int tokens = 2 * shape.sequence();
      int n = 4 * shape.sequence() * shape.headDim();
      OpCase.Input q = f32(NORMAL, tokens, shape.heads() * shape.headDim());
      OpCase.Input k = f32(NORMAL, tokens, shape.kvHeads() * shape.headDim());
      OpCase.Input lse = f32((random, i) -> 3, 2 * shape.heads(), shape.sequence());
      OpCase.Input documents = i32((random, i) -> Math.floorDiv(i, 5), tokens);
      String parts = shape + " documents";
      cases.together(shape + "", 1, new Attention(shape, false), n, q, k, k);
      cases.together(parts, 1, new Attention(shape, true), n, q, k, k, documents);
      Op gradient = new AttentionGradient(shape, false);
      cases.together(shape + "", 1, gradient, n, q, k, k, q, lse, q);
      Op ofDocuments = new AttentionGradient(shape, true);
      cases.together(parts, 1, ofDocuments, n, q, k, k, q, lse, q, documents);
    }
  }
}
