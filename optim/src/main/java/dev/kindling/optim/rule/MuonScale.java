package dev.kindling.optim.rule;

/** How long the step of an orthogonal direction [rows, columns] is. */
public enum MuonScale {
  /** 0.2 sqrt(max(rows, columns)): the root mean square of AdamW's steps, so its lr fits. */
  MATCH_RMS {
    @Override
    double factor(int rows, int columns) {
      return 0.2 * Math.sqrt(Math.max(rows, columns));
    }
  },
  /** sqrt(max(1, rows / columns)): lr about 0.02. */
  ORIGINAL {
    @Override
    double factor(int rows, int columns) {
      return Math.sqrt(Math.max(1.0, (double) rows / columns));
    }
  };

  abstract double factor(int rows, int columns);
}
