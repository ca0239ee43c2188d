package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Variable;

/** Any address does where nothing is launched. */
record Anywhere(RoleArenas arenas) implements Addresses {
  @Override
  public long address(Variable variable) {
    return (1L << 40) + arenas.offset(variable);
  }

  @Override
  public boolean hasMaster(Variable variable) {
    return arenas.hasMaster(variable);
  }

  @Override
  public long copyAddress(Variable variable) {
    return (1L << 41) + arenas.copyOffset(variable);
  }

  @Override
  public boolean hasCodes(Variable variable) {
    return arenas.hasCodes(variable);
  }

  @Override
  public long codesAddress(Variable variable) {
    return (1L << 44) + arenas.codesOffset(variable);
  }

  @Override
  public boolean hasCopies() {
    return arenas.copyBytes() > 0;
  }

  @Override
  public long faultWord(String what, FaultWords.Numbers numbers, int rows) {
    return 1L << 42;
  }
}
