package dev.kindling.comm.nccl;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * How ranks that already talk over the host agree on a communicator of the library: each says which
 * version it has, or why it cannot; rank 0 adds the id; then all connect. A rank that cannot take
 * part so ends all of them with its reason, instead of leaving the others to a time-out.
 */
final class NcclOpening {
  /** Non-blocking communicators, their abort and the fields of our configuration need it. */
  static final int OLDEST = 21900;

  private static final String READY = "ready";
  private static final String UNABLE = "unable";
  private static final long POLL_NANOS = 200_000;

  private final NcclOptions options;
  private final Communicator host;
  private final Supplier<Optional<String>> lost;
  private final Map<String, String> environment;

  /**
   * @param lost names peers whose process is gone
   */
  NcclOpening(
      NcclOptions options,
      Communicator host,
      Supplier<Optional<String>> lost,
      Map<String, String> environment) {
    this.options = options;
    this.host = host;
    this.lost = lost;
    this.environment = environment;
  }

  /**
   * @param library loads it; its DeviceException is told to all ranks
   * @throws DeviceException if this rank has no usable library
   * @throws CollectiveException if another one has none, or they do not connect in time
   */
  NcclHandle open(Supplier<Nccl> library) {
    DeviceException reason = null;
    Nccl nccl = null;
    String own;
    try {
      nccl = library.get();
      own = String.join(" ", READY, Integer.toString(version(nccl)), id(nccl));
    } catch (DeviceException unable) {
      reason = unable;
      own = UNABLE + " " + unable.getMessage();
    }
    List<String> all = TextExchange.allGather(host, own);
    if (reason != null || nccl == null) {
      throw reason == null ? new DeviceException("nccl: no library") : reason;
    }
    byte[] id = agreed(all);
    NcclHandle handle = nccl.connect(host.worldSize(), id, host.rank(), options.maxBlocks());
    await(nccl, handle);
    return handle;
  }

  private int version(Nccl nccl) {
    String set = environment.get("NCCL_COMM_ID");
    if (set != null) {
      throw new DeviceException(
          who()
              + ": expected no NCCL_COMM_ID in the environment, found "
              + set
              + ": all communicators of the job would meet at that one address");
    }
    int[] version = new int[1];
    int code = nccl.version(version);
    if (code != Nccl.SUCCESS) {
      throw new DeviceException(who() + ": ncclGetVersion: " + nccl.text(code));
    }
    if (version[0] < OLDEST) {
      throw new DeviceException(
          who() + ": expected version " + name(OLDEST) + " or newer, found " + name(version[0]));
    }
    return version[0];
  }

  /** In hexadecimal digits; rank 0 alone makes one. */
  private String id(Nccl nccl) {
    if (host.rank() != 0) {
      return "-";
    }
    byte[] id = new byte[Nccl.UNIQUE_ID_BYTES];
    int code = nccl.uniqueId(id);
    if (code != Nccl.SUCCESS) {
      throw new DeviceException(who() + ": ncclGetUniqueId: " + nccl.text(code));
    }
    return HexFormat.of().formatHex(id);
  }

  private byte[] agreed(List<String> all) {
    Set<String> versions = new HashSet<>();
    for (int rank = 0; rank < all.size(); rank++) {
      String message = all.get(rank);
      if (message.startsWith(UNABLE)) {
        throw new CollectiveException(
            who()
                + ": rank "
                + rank
                + " cannot take part: "
                + message.substring(UNABLE.length() + 1));
      }
      versions.add(message.split(" ", -1)[1]);
    }
    if (versions.size() > 1) {
      throw new DeviceException(
          who()
              + ": expected one version on all ranks, found "
              + all.stream().map(text -> name(Integer.parseInt(text.split(" ", -1)[1]))).toList());
    }
    return HexFormat.of().parseHex(all.get(0).split(" ", -1)[2]);
  }

  private void await(Nccl nccl, NcclHandle handle) {
    long start = System.nanoTime();
    int[] state = new int[1];
    while (true) {
      int code = handle.asyncError(state);
      code = code == Nccl.SUCCESS ? state[0] : code;
      if (code == Nccl.SUCCESS) {
        return;
      }
      Optional<String> reason = reason(nccl, handle, code, System.nanoTime() - start);
      if (reason.isPresent()) {
        // It may wait for a rank that never comes: not in this thread.
        Watchdog.aside("nccl-abort", handle::abort);
        throw new CollectiveException(who() + ": " + reason.get());
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Why to give up, if there is a reason. */
  private Optional<String> reason(Nccl nccl, NcclHandle handle, int code, long nanos) {
    if (code != Nccl.IN_PROGRESS) {
      String text = "cannot connect: " + nccl.text(code) + " " + handle.lastError();
      return Optional.of(text.strip());
    }
    Optional<String> gone = lost.get();
    if (gone.isEmpty() && nanos > options.openTimeout().toNanos()) {
      return Optional.of("not connected after " + options.openTimeout().toMillis() + " ms");
    }
    return gone.map(peers -> "cannot connect: " + peers);
  }

  private String who() {
    return Watchdog.who(options, host);
  }

  /** 2.28.3 for 22803. */
  static String name(int version) {
    return version < 10_000
        ? version / 1000 + "." + version / 100 % 10 + "." + version % 100
        : version / 10_000 + "." + version / 100 % 100 + "." + version % 100;
  }
}
