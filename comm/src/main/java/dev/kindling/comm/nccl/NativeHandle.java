package dev.kindling.comm.nccl;

import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.cuda.global.nccl;
import org.bytedeco.cuda.nccl.ncclComm;
import org.bytedeco.javacpp.BytePointer;

/** A communicator of the machine's library. */
final class NativeHandle implements NcclHandle {
  private final ncclComm communicator;

  NativeHandle(ncclComm communicator) {
    this.communicator = communicator;
  }

  private static int type(Element element) {
    return switch (element) {
      case F32 -> nccl.ncclFloat32;
      case BF16 -> nccl.ncclBfloat16;
      case I32 -> nccl.ncclInt32;
    };
  }

  private static int operation(Reduction op) {
    return switch (op) {
      case SUM -> nccl.ncclSum;
      case MAX -> nccl.ncclMax;
    };
  }

  private static DeviceAddress at(long address) {
    return new DeviceAddress(address);
  }

  private static CUstream_st on(long stream) {
    return new CUstream_st(at(stream));
  }

  @Override
  public int asyncError(int[] code) {
    return nccl.ncclCommGetAsyncError(communicator, code);
  }

  @Override
  public String lastError() {
    BytePointer text = nccl.ncclGetLastError(communicator);
    return text == null || text.isNull() ? "" : text.getString().strip();
  }

  @Override
  public int allReduce(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    return nccl.ncclAllReduce(
        at(send), at(receive), count, type(element), operation(op), communicator, on(stream));
  }

  @Override
  public int reduceScatter(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    return nccl.ncclReduceScatter(
        at(send), at(receive), count, type(element), operation(op), communicator, on(stream));
  }

  @Override
  public int allGather(long send, long receive, long count, Element element, long stream) {
    return nccl.ncclAllGather(
        at(send), at(receive), count, type(element), communicator, on(stream));
  }

  @Override
  public int broadcast(
      long send, long receive, long count, Element element, int root, long stream) {
    return nccl.ncclBroadcast(
        at(send), at(receive), count, type(element), root, communicator, on(stream));
  }

  @Override
  public int send(long address, long count, Element element, int peer, long stream) {
    return nccl.ncclSend(at(address), count, type(element), peer, communicator, on(stream));
  }

  @Override
  public int receive(long address, long count, Element element, int peer, long stream) {
    return nccl.ncclRecv(at(address), count, type(element), peer, communicator, on(stream));
  }

  @Override
  public int groupStart() {
    return nccl.ncclGroupStart();
  }

  @Override
  public int groupEnd() {
    return nccl.ncclGroupEnd();
  }

  @Override
  public int destroy() {
    return nccl.ncclCommDestroy(communicator);
  }

  @Override
  public int abort() {
    return nccl.ncclCommAbort(communicator);
  }
}
