package dev.kindling.comm.nccl;

/** The library: what needs no communicator. Every returned int is a result code. */
interface Nccl {
  /** Result codes that are no failure; their numbers are part of NCCL's interface. */
  int SUCCESS = 0;

  int IN_PROGRESS = 7;

  int UNIQUE_ID_BYTES = 128;

  /** Puts the version of the loaded library, such as 22803 for 2.28.3, at index 0. */
  int version(int[] version);

  /** Fills {@link #UNIQUE_ID_BYTES}; whoever made it must stay alive until all have connected. */
  int uniqueId(byte[] id);

  /**
   * Begins to connect, for the current device of this thread; the handle's {@link
   * NcclHandle#asyncError} tells when it has ended.
   *
   * @param maxBlocks of a collective, 0 for as many as the library likes
   */
  NcclHandle connect(int worldSize, byte[] id, int rank, int maxBlocks);

  /** What NCCL calls this code. */
  String text(int code);
}
