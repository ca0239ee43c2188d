package dev.kindling.kernels.backend.cuda.layout;

/**
 * Which rules a layout applies.
 *
 * @param views column splits and concatenations become storage, ropes run in place
 * @param products linear products of one operand become one; odd rows of products are padded
 * @param epilogues GELU and its gradient ride on the product before them, a second SwiGLU on its
 *     gradient, a bias gradient on the norm gradient before it
 * @param tensors one launch updates, copies or sums many tensors
 */
public record GroupRules(boolean views, boolean products, boolean epilogues, boolean tensors) {
  public static final GroupRules ALL = new GroupRules(true, true, true, true);

  /** One launch per node, every value dense: the reference of tests. */
  public static final GroupRules NONE = new GroupRules(false, false, false, false);
}
