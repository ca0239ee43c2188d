package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.DeviceException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.FloatPointer;

/**
 * Causal attention, or its gradient, for one layout: choosing the engine is slow (up to a second),
 * so build one per layout at the start, {@link #bind} it to addresses, and run that. A run
 * allocates nothing and may be captured in a CUDA graph. Close bindings before this, this before
 * the handle.
 */
public final class CudnnAttention implements AutoCloseable {
  private static final int BF16_BYTES = 2;
  private static final int FP32_BYTES = 4;
  private static final long WORKSPACE_ALIGNMENT = 256;

  private final CudnnHandle handle;
  private final AttentionLayout layout;
  private final int launches;
  private final OperationGraph graph;
  private final Engines engines;
  private final ExecutionPlan plan;
  private final Map<String, Long> workspaceOffsets = new HashMap<>();
  private final long workspaceBytes;
  private final Map<Long, FloatPointer> values = new HashMap<>();
  private boolean closed;

  /** Device addresses of the matrices of a forward pass; lse is fp32 [B, H, T]. */
  public record Forward(long q, long k, long v, long o, long lse) {}

  /** Device addresses of the matrices of a gradient; lse is fp32 [B, H, T]. */
  public record Backward(
      long q, long k, long v, long o, long dO, long lse, long dQ, long dK, long dV) {}

  CudnnAttention(
      CudnnHandle handle,
      AttentionLayout layout,
      int launches,
      OperationGraph graph,
      Engines engines,
      ExecutionPlan plan) {
    this.handle = handle;
    this.layout = layout;
    this.launches = launches;
    this.graph = graph;
    this.engines = engines;
    this.plan = plan;
    long bytes = aligned(plan.workspaceBytes());
    for (String name : WORKSPACE_TENSORS) {
      for (GraphTensor tensor : graph.tensors()) {
        if (tensor.name().equals(name) && tensor.place() == GraphTensor.Place.MEMORY) {
          workspaceOffsets.put(name, bytes);
          bytes += aligned(tensor.elements() * elementBytes(tensor));
        }
      }
    }
    workspaceBytes = bytes;
    graph.values().forEach((id, value) -> values.put(id, new FloatPointer(new float[] {value})));
  }

  private static final List<String> WORKSPACE_TENSORS =
      List.of(
          BackwardGraph.ROW_SUM,
          BackwardGraph.QUERY_SUM,
          BackwardGraph.KEY_PER_HEAD,
          BackwardGraph.VALUE_PER_HEAD);

  private static long aligned(long bytes) {
    return (bytes + WORKSPACE_ALIGNMENT - 1) / WORKSPACE_ALIGNMENT * WORKSPACE_ALIGNMENT;
  }

  private static int elementBytes(GraphTensor tensor) {
    return tensor.type() == cudnn.CUDNN_DATA_FLOAT ? FP32_BYTES : BF16_BYTES;
  }

  /**
   * o and lse from q, k and v.
   *
   * @throws DeviceException if cuDNN has no deterministic engine for it
   */
  public static CudnnAttention forward(CudnnHandle handle, AttentionLayout layout) {
    return build(handle, layout, 1, ForwardGraph.of(layout), "attention", Long.MAX_VALUE);
  }

  /**
   * Gradients of q, k and v. The deterministic engines keep one bf16 number per pair of query and
   * key in the workspace; where that passes the limit the batch is split into equal launches.
   *
   * @param workspaceLimit of the engine, in bytes; {@link #workspaceBytes} adds a few sums per
   *     query
   * @throws DeviceException if cuDNN has no deterministic engine within the limit
   */
  public static CudnnAttention backward(
      CudnnHandle handle, AttentionLayout layout, long workspaceLimit) {
    return backward(handle, layout, workspaceLimit, BackwardForm.DEFAULT);
  }

  static CudnnAttention backward(
      CudnnHandle handle, AttentionLayout layout, long workspaceLimit, BackwardForm form) {
    DeviceException last = null;
    for (int launches = 1; launches <= layout.batch(); launches++) {
      if (layout.batch() % launches != 0) {
        continue;
      }
      OperationGraph graph = BackwardGraph.of(layout.withBatch(layout.batch() / launches), form);
      try {
        return build(handle, layout, launches, graph, "attention gradient", workspaceLimit);
      } catch (DeviceException failed) {
        last = failed;
      }
    }
    throw last == null ? new DeviceException("attention over no sequence") : last;
  }

  private static CudnnAttention build(
      CudnnHandle handle,
      AttentionLayout layout,
      int launches,
      OperationGraph graph,
      String name,
      long workspaceLimit) {
    layout
        .refusal(false)
        .ifPresent(
            why -> {
              throw new IllegalArgumentException("cuDNN " + name + ": " + why);
            });
    Engines engines = new Engines(handle, graph);
    try {
      String what = name + " of " + layout.sizes() + " in " + launches + " launches";
      ExecutionPlan plan = ExecutionPlan.choose(handle, engines, what, workspaceLimit);
      return new CudnnAttention(handle, layout, launches, graph, engines, plan);
    } catch (RuntimeException failed) {
      engines.close();
      throw failed;
    }
  }

  /** Device memory that one run needs, 256-byte aligned; its contents do not matter. */
  public long workspaceBytes() {
    return workspaceBytes;
  }

  /** Launches of one run: more than 1 where the batch was split. */
  public int launches() {
    return launches;
  }

  /** Which engine runs, with its notes and settings. */
  public String engine() {
    return plan.engine();
  }

  /** Fixes the addresses of a forward pass. */
  public Binding bind(Forward at, long workspace) {
    AttentionLayout.RowStrides rows = layout.forward();
    Map<String, Operand> operands = new HashMap<>();
    operands.put("q", matrix(at.q, rows.q()));
    operands.put("k", matrix(at.k, rows.k()));
    operands.put("v", matrix(at.v, rows.v()));
    operands.put("o", matrix(at.o, rows.o()));
    operands.put("lse", numberPerQuery(at.lse));
    return bind(operands, workspace);
  }

  /** Fixes the addresses of a gradient. */
  public Binding bind(Backward at, long workspace) {
    AttentionLayout.RowStrides in = layout.forward();
    AttentionLayout.RowStrides out = layout.backward();
    Map<String, Operand> operands = new HashMap<>();
    operands.put("q", matrix(at.q, in.q()));
    operands.put("k", matrix(at.k, in.k()));
    operands.put(BackwardGraph.KEY_AGAIN, matrix(at.k, in.k()));
    operands.put("v", matrix(at.v, in.v()));
    operands.put("o", matrix(at.o, in.o()));
    operands.put("do", matrix(at.dO, out.o()));
    operands.put("lse", numberPerQuery(at.lse));
    operands.put("dq", matrix(at.dQ, out.q()));
    operands.put("dk", matrix(at.dK, out.k()));
    operands.put("dv", matrix(at.dV, out.v()));
    return bind(operands, workspace);
  }

  /** An address and how far it moves from one launch to the next. */
  private record Operand(long address, long bytesPerLaunch) {}

  private Operand matrix(long address, long rowStride) {
    long rows = (long) layout.batch() / launches * layout.tokens();
    return new Operand(address, rows * rowStride * BF16_BYTES);
  }

  private Operand numberPerQuery(long address) {
    long queries = (long) layout.batch() / launches * layout.heads() * layout.tokens();
    return new Operand(address, queries * FP32_BYTES);
  }

  private Binding bind(Map<String, Operand> operands, long workspace) {
    if (closed) {
      throw new IllegalStateException("attention is closed");
    }
    if (workspaceBytes > 0 && (workspace == 0 || workspace % WORKSPACE_ALIGNMENT != 0)) {
      throw new IllegalArgumentException(
          "workspace must be a multiple of 256 bytes and not 0, got " + workspace);
    }
    List<Descriptor> packs = new ArrayList<>();
    try {
      for (int launch = 0; launch < launches; launch++) {
        packs.add(pack(operands, workspace, launch));
      }
    } catch (RuntimeException failed) {
      packs.forEach(Descriptor::close);
      throw failed;
    }
    return new Binding(packs);
  }

  private Descriptor pack(Map<String, Operand> operands, long workspace, int launch) {
    List<GraphTensor> named =
        graph.tensors().stream().filter(t -> t.place() != GraphTensor.Place.VIRTUAL).toList();
    long[] ids = new long[named.size()];
    long[] addresses = new long[named.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = named.get(i).id();
      addresses[i] = address(named.get(i), operands, workspace, launch);
    }
    Descriptor pack = new Descriptor(cudnn.CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "addresses");
    try {
      return pack.setLongs(cudnn.CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
          .setAddresses(cudnn.CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses)
          .setAddresses(cudnn.CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace)
          .finish();
    } catch (RuntimeException failed) {
      pack.close();
      throw failed;
    }
  }

  private long address(
      GraphTensor tensor, Map<String, Operand> operands, long workspace, int launch) {
    FloatPointer value = values.get(tensor.id());
    if (value != null) {
      return value.address();
    }
    Long offset = workspaceOffsets.get(tensor.name());
    if (offset != null) {
      return workspace + offset;
    }
    Operand operand = operands.get(tensor.name());
    if (operand == null) {
      throw new IllegalArgumentException("no address for " + tensor.name());
    }
    if (operand.address == 0 || operand.address % GraphTensor.ALIGNMENT != 0) {
      throw new IllegalArgumentException(
          "address of %s must be a multiple of 16 bytes and not 0, got %d"
              .formatted(tensor.name(), operand.address));
    }
    return operand.address + launch * operand.bytesPerLaunch;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      plan.close();
      engines.close();
      values.values().forEach(FloatPointer::close);
    }
  }

  /** One attention at fixed addresses. */
  public final class Binding implements AutoCloseable {
    private final List<Descriptor> packs;

    private Binding(List<Descriptor> packs) {
      this.packs = packs;
    }

    /** Enqueues on the handle's stream. */
    public void run() {
      if (closed || packs.isEmpty()) {
        throw new IllegalStateException("attention is closed");
      }
      // By index: an iterator would be garbage in every step.
      for (int i = 0; i < packs.size(); i++) {
        CudnnStatus.check(
            cudnn.cudnnBackendExecute(
                handle.context(), plan.descriptor().pointer(), packs.get(i).pointer()),
            "cudnnBackendExecute");
      }
    }

    @Override
    public void close() {
      packs.forEach(Descriptor::close);
      packs.clear();
    }
  }
}
