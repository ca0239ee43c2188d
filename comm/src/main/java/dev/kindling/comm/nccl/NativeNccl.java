package dev.kindling.comm.nccl;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.cuda.nccl.ncclComm;
import org.bytedeco.cuda.nccl.ncclConfig_t;
import org.bytedeco.cuda.nccl.ncclUniqueId;
import org.bytedeco.javacpp.BytePointer;

/** The library of this machine, whose version may differ from that of the bindings. */
final class NativeNccl implements Nccl {
  /**
   * The library copies as many bytes as the size says, and fills in what was added after the
   * version. We name the oldest version that we accept and its size, so a library that is older
   * than the bindings and one that is newer both understand.
   */
  private static final int CONFIG_VERSION = NcclOpening.OLDEST;

  private static final int CONFIG_BYTES = 48;

  /** What the library takes for "choose yourself". */
  private static final int UNDEFINED = Integer.MIN_VALUE;

  private NativeNccl() {}

  /**
   * @throws DeviceException if the library or its bindings are missing
   */
  static Nccl load() {
    try {
      NativeNccl library = new NativeNccl();
      library.version(new int[1]);
      return library;
    } catch (LinkageError missing) {
      throw new DeviceException(
          "nccl: the library cannot be loaded; expected libnccl.so.2 of version 2.19 or newer on the"
              + " library path and bytedeco cuda 13.1-9.19-1.5.13 on the class path, found "
              + missing,
          missing);
    }
  }

  @Override
  public int version(int[] version) {
    return nccl.ncclGetVersion(version);
  }

  @Override
  public int uniqueId(byte[] id) {
    try (ncclUniqueId made = new ncclUniqueId()) {
      int code = nccl.ncclGetUniqueId(made);
      for (int i = 0; i < id.length; i++) {
        id[i] = made.internal(i);
      }
      return code;
    }
  }

  @Override
  public NcclHandle connect(int worldSize, byte[] id, int rank, int maxBlocks) {
    ncclComm communicator = new ncclComm();
    try (ncclUniqueId given = new ncclUniqueId();
        ncclConfig_t config = config(maxBlocks)) {
      for (int i = 0; i < id.length; i++) {
        given.internal(i, id[i]);
      }
      int code = nccl.ncclCommInitRankConfig(communicator, worldSize, given, rank, config);
      if (code != SUCCESS && code != IN_PROGRESS) {
        throw new CollectiveException(
            "nccl: ncclCommInitRankConfig of rank " + rank + ": " + text(code));
      }
    }
    return new NativeHandle(communicator);
  }

  private static ncclConfig_t config(int maxBlocks) {
    return new ncclConfig_t()
        .size(CONFIG_BYTES)
        .magic(nccl.NCCL_API_MAGIC)
        .version(CONFIG_VERSION)
        .blocking(0)
        .cgaClusterSize(UNDEFINED)
        .minCTAs(UNDEFINED)
        .maxCTAs(maxBlocks == 0 ? UNDEFINED : maxBlocks)
        .netName((BytePointer) null)
        .splitShare(UNDEFINED)
        .trafficClass(UNDEFINED);
  }

  @Override
  public String text(int code) {
    return nccl.ncclGetErrorString(code).getString() + " (" + code + ")";
  }
}
