package dev.kindling.comm.nccl;

import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/** A library and its one communicator, both as the test says. Notes every call. */
final class FakeNccl implements Nccl, NcclHandle {
  static final int REMOTE_ERROR = 6;

  final List<String> log = new CopyOnWriteArrayList<>();
  final CountDownLatch aborted = new CountDownLatch(1);
  volatile int version = 22803;
  volatile int state;
  volatile int result;

  /** How often the state is IN_PROGRESS after a call that says so. */
  volatile int polls;

  /** Of the only call that fails, "" for none. */
  volatile String broken = "";

  /** While a captured graph that holds a call lives, neither destroy nor abort returns. */
  volatile boolean graphLives;

  @Override
  public int version(int[] found) {
    found[0] = version;
    return SUCCESS;
  }

  @Override
  public int uniqueId(byte[] id) {
    for (int i = 0; i < id.length; i++) {
      id[i] = (byte) (i * 7);
    }
    log.add("uniqueId");
    return SUCCESS;
  }

  @Override
  public NcclHandle connect(int worldSize, byte[] id, int rank, int maxBlocks) {
    String most = maxBlocks == 0 ? "" : ", at most " + maxBlocks + " blocks";
    log.add("connect " + rank + " of " + worldSize + " at " + id[1] + " " + id[127] + most);
    return this;
  }

  @Override
  public String text(int code) {
    return "text of " + code;
  }

  @Override
  public int asyncError(int[] code) {
    if (polls > 0) {
      polls--;
      code[0] = IN_PROGRESS;
    } else {
      code[0] = state;
    }
    return SUCCESS;
  }

  @Override
  public String lastError() {
    return "socket closed";
  }

  private int note(String call) {
    log.add(call);
    return call.equals(broken) ? REMOTE_ERROR : result;
  }

  @Override
  public int allReduce(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    return note("allReduce " + send + " " + receive + " " + count + " " + element + " " + op);
  }

  @Override
  public int reduceScatter(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    return note("reduceScatter " + send + " " + receive + " " + count + " " + element + " " + op);
  }

  @Override
  public int allGather(long send, long receive, long count, Element element, long stream) {
    return note("allGather " + send + " " + receive + " " + count + " " + element);
  }

  @Override
  public int broadcast(
      long send, long receive, long count, Element element, int root, long stream) {
    return note("broadcast " + send + " " + receive + " " + count + " " + element + " " + root);
  }

  @Override
  public int send(long address, long count, Element element, int peer, long stream) {
    return note("send " + address + " " + count + " to " + peer);
  }

  @Override
  public int receive(long address, long count, Element element, int peer, long stream) {
    return note("receive " + address + " " + count + " from " + peer);
  }

  @Override
  public int groupStart() {
    return note("groupStart");
  }

  @Override
  public int groupEnd() {
    return note("groupEnd");
  }

  private int free(String call) {
    log.add(call);
    while (graphLives) {
      Thread.onSpinWait();
    }
    log.add(call + "ed");
    return SUCCESS;
  }

  @Override
  public int destroy() {
    return free("destroy");
  }

  @Override
  public int abort() {
    aborted.countDown();
    return free("abort");
  }
}
