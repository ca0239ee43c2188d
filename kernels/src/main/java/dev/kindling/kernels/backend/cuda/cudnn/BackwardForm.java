package dev.kindling.kernels.backend.cuda.cudnn;

/** The same gradient may be described in several ways; cuDNN's engines know some of them. */
record BackwardForm(QueryGradient query, GroupSum group, KeyRows key, Cast cast) {
  /** How the product of dS and k becomes the gradient of q. */
  enum QueryGradient {
    /** An fp32 tensor that exists only inside: asks for a workspace of all pairs, fixed order. */
    VIRTUAL,
    /** The product writes bf16. */
    DIRECT,
    /** An fp32 tensor in memory into which blocks add in any order. */
    IN_MEMORY
  }

  /** Where gradients of k and v lie per query head before the heads of a group are added. */
  enum GroupSum {
    BF16,
    FP32
  }

  /** k is read by rows and by columns, from one memory. */
  enum KeyRows {
    /** Given by columns; an operation of the graph exchanges the axes. */
    FROM_COLUMNS,
    /** Given by rows; an operation of the graph exchanges the axes. */
    FROM_ROWS,
    /** Given twice. */
    BOTH
  }

  /** Which operation rounds the probabilities to bf16. */
  enum Cast {
    EXCHANGE,
    IDENTITY
  }

  static final BackwardForm DEFAULT =
      new BackwardForm(QueryGradient.VIRTUAL, GroupSum.BF16, KeyRows.FROM_COLUMNS, Cast.EXCHANGE);

  BackwardForm with(QueryGradient other) {
    return new BackwardForm(other, group, key, cast);
  }

  BackwardForm with(GroupSum other) {
    return new BackwardForm(query, other, key, cast);
  }

  BackwardForm with(KeyRows other) {
    return new BackwardForm(query, group, other, cast);
  }

  BackwardForm with(Cast other) {
    return new BackwardForm(query, group, key, other);
  }
}
