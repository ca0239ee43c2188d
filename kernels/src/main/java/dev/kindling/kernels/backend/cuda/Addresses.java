package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Variable;

/** Where the variables of a run lie. */
interface Addresses {
  /** Address of this very variable; another type or role under its name is an error. */
  long address(Variable variable);

  /** Whether the variable is stored in fp32; a parameter without master is its bf16 copy alone. */
  boolean hasMaster(Variable variable);

  /** Address of the bf16 copy of a parameter; only where {@link #hasCopies}. */
  long copyAddress(Variable variable);

  /** Whether the variable is a parameter in codes of 8 bits. */
  boolean hasCodes(Variable variable);

  /** Address of such a parameter's codes; its grids lie behind them. */
  long codesAddress(Variable variable);

  /** Whether products read bf16 copies of the parameters. */
  boolean hasCopies();

  /**
   * Device word that a kernel lowers to the first place whose number lies outside its table.
   *
   * @param what the numbers are, up to the place
   * @param numbers where the host put them
   */
  long faultWord(String what, FaultWords.Numbers numbers, int rows);
}
