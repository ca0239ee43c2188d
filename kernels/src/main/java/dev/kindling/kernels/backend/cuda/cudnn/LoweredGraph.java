package dev.kindling.kernels.backend.cuda.cudnn;

import dev.kindling.kernels.backend.cuda.cudnn.GraphTensor.Place;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.cuda.global.cudnn;

/** An operation graph as cuDNN's descriptors. */
final class LoweredGraph implements AutoCloseable {
  private final List<Descriptor> owned = new ArrayList<>();
  private final Map<Long, Descriptor> tensors = new HashMap<>();
  private final List<Descriptor> operations = new ArrayList<>();
  private final Descriptor root;

  LoweredGraph(CudnnHandle handle, OperationGraph graph) {
    try {
      graph.tensors().forEach(tensor -> tensors.put(tensor.id(), lower(tensor)));
      graph.nodes().forEach(node -> operations.add(lower(node)));
      root =
          descriptor(cudnn.CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, "operation graph")
              .set(cudnn.CUDNN_ATTR_OPERATIONGRAPH_OPS, operations.toArray(Descriptor[]::new))
              .set(cudnn.CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle)
              .finish();
    } catch (RuntimeException failed) {
      close();
      throw failed;
    }
  }

  Descriptor root() {
    return root;
  }

  private Descriptor descriptor(int type, String name) {
    Descriptor descriptor = new Descriptor(type, name);
    owned.add(descriptor);
    return descriptor;
  }

  private Descriptor of(GraphTensor tensor) {
    Descriptor descriptor = tensors.get(tensor.id());
    if (descriptor == null) {
      throw new IllegalStateException(tensor.name() + " belongs to another graph");
    }
    return descriptor;
  }

  private Descriptor lower(GraphTensor tensor) {
    return descriptor(cudnn.CUDNN_BACKEND_TENSOR_DESCRIPTOR, "tensor " + tensor.name())
        .setLongs(cudnn.CUDNN_ATTR_TENSOR_UNIQUE_ID, tensor.id())
        .set(cudnn.CUDNN_ATTR_TENSOR_DATA_TYPE, cudnn.CUDNN_TYPE_DATA_TYPE, tensor.type())
        .setLongs(cudnn.CUDNN_ATTR_TENSOR_DIMENSIONS, tensor.dims())
        .setLongs(cudnn.CUDNN_ATTR_TENSOR_STRIDES, tensor.strides())
        .setLongs(cudnn.CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, GraphTensor.ALIGNMENT)
        .set(cudnn.CUDNN_ATTR_TENSOR_IS_VIRTUAL, tensor.place() == Place.VIRTUAL)
        .set(cudnn.CUDNN_ATTR_TENSOR_IS_BY_VALUE, tensor.place() == Place.VALUE)
        .finish();
  }

  private Descriptor lower(OperationGraph.Node node) {
    if (node instanceof OperationGraph.Matmul matmul) {
      return lower(matmul);
    }
    if (node instanceof OperationGraph.Pointwise pointwise) {
      return lower(pointwise);
    }
    if (node instanceof OperationGraph.Reduction reduction) {
      return lower(reduction);
    }
    OperationGraph.Reshape reshape = (OperationGraph.Reshape) node;
    return descriptor(
            cudnn.CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR, "reshape " + reshape.y().name())
        .set(cudnn.CUDNN_ATTR_OPERATION_RESHAPE_XDESC, of(reshape.x()))
        .set(cudnn.CUDNN_ATTR_OPERATION_RESHAPE_YDESC, of(reshape.y()))
        .finish();
  }

  private Descriptor lower(OperationGraph.Matmul matmul) {
    String name = "product " + matmul.c().name();
    Descriptor math =
        descriptor(cudnn.CUDNN_BACKEND_MATMUL_DESCRIPTOR, name)
            .set(
                cudnn.CUDNN_ATTR_MATMUL_COMP_TYPE,
                cudnn.CUDNN_TYPE_DATA_TYPE,
                cudnn.CUDNN_DATA_FLOAT)
            .finish();
    return descriptor(cudnn.CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, name)
        .set(cudnn.CUDNN_ATTR_OPERATION_MATMUL_ADESC, of(matmul.a()))
        .set(cudnn.CUDNN_ATTR_OPERATION_MATMUL_BDESC, of(matmul.b()))
        .set(cudnn.CUDNN_ATTR_OPERATION_MATMUL_CDESC, of(matmul.c()))
        .set(cudnn.CUDNN_ATTR_OPERATION_MATMUL_DESC, math)
        .finish();
  }

  private Descriptor lower(OperationGraph.Pointwise pointwise) {
    String name = "pointwise " + pointwise.y().name();
    Descriptor math =
        descriptor(cudnn.CUDNN_BACKEND_POINTWISE_DESCRIPTOR, name)
            .set(cudnn.CUDNN_ATTR_POINTWISE_MODE, cudnn.CUDNN_TYPE_POINTWISE_MODE, pointwise.mode())
            .set(
                cudnn.CUDNN_ATTR_POINTWISE_MATH_PREC, cudnn.CUDNN_TYPE_DATA_TYPE, pointwise.math());
    if (pointwise.axis() >= 0) {
      math.setLongs(cudnn.CUDNN_ATTR_POINTWISE_AXIS, pointwise.axis());
    }
    math.finish();
    Descriptor operation =
        descriptor(cudnn.CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, name)
            .set(cudnn.CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, math)
            .set(cudnn.CUDNN_ATTR_OPERATION_POINTWISE_XDESC, of(pointwise.x()))
            .set(cudnn.CUDNN_ATTR_OPERATION_POINTWISE_YDESC, of(pointwise.y()));
    GraphTensor b = pointwise.b();
    if (b != null) {
      operation.set(cudnn.CUDNN_ATTR_OPERATION_POINTWISE_BDESC, of(b));
    }
    GraphTensor t = pointwise.t();
    if (t != null) {
      operation.set(cudnn.CUDNN_ATTR_OPERATION_POINTWISE_TDESC, of(t));
    }
    return operation.finish();
  }

  private Descriptor lower(OperationGraph.Reduction reduction) {
    String name = "reduction " + reduction.y().name();
    Descriptor math =
        descriptor(cudnn.CUDNN_BACKEND_REDUCTION_DESCRIPTOR, name)
            .set(
                cudnn.CUDNN_ATTR_REDUCTION_OPERATOR,
                cudnn.CUDNN_TYPE_REDUCTION_OPERATOR_TYPE,
                reduction.operator())
            .set(
                cudnn.CUDNN_ATTR_REDUCTION_COMP_TYPE,
                cudnn.CUDNN_TYPE_DATA_TYPE,
                cudnn.CUDNN_DATA_FLOAT)
            .finish();
    return descriptor(cudnn.CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, name)
        .set(cudnn.CUDNN_ATTR_OPERATION_REDUCTION_XDESC, of(reduction.x()))
        .set(cudnn.CUDNN_ATTR_OPERATION_REDUCTION_YDESC, of(reduction.y()))
        .set(cudnn.CUDNN_ATTR_OPERATION_REDUCTION_DESC, math)
        .finish();
  }

  @Override
  public void close() {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
    owned.clear();
  }
}
