package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.row.RowKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.op.Op;

/** All that a kernel needs to bind one node: where its values lie and which engines it may use. */
final class Binding {
  private final Node node;
  private final Engine engine;
  private boolean scratchTaken;

  Binding(Node node, Engine engine) {
    this.node = node;
    this.engine = engine;
  }

  <O extends Op> O op(Class<O> type) {
    return type.cast(node.op());
  }

  Node node() {
    return node;
  }

  int inputs() {
    return node.inputs().size();
  }

  Operand in(int index) {
    return operand(inPiece(index));
  }

  Operand out(int index) {
    return operand(outPiece(index));
  }

  Piece inPiece(int index) {
    return engine.piece(node.input(index));
  }

  Piece outPiece(int index) {
    return engine.piece(node.output(index));
  }

  /** Whether the input lives in a variable, not in an activation arena. */
  boolean inVariable(int index) {
    return engine.plan().variableOf(node.input(index)) != null;
  }

  static Operand operand(Piece piece) {
    return new Operand(piece.span().buffer(), 0);
  }

  Shape inShape(int index) {
    return node.input(index).shape();
  }

  Shape outShape(int index) {
    return node.output(index).shape();
  }

  int inElements(int index) {
    return Math.toIntExact(inShape(index).elements());
  }

  /** Whether output and input lie in the same memory. */
  boolean inPlace(int output, int input) {
    return engine.plan().shared(node.output(output), node.input(input));
  }

  Workers workers() {
    return engine.workers();
  }

  RowKernels rows() {
    return engine.rows();
  }

  Matmul matmul() {
    return engine.matmul();
  }

  /** Memory that nobody keeps anything in between two nodes; one request per node. */
  Operand scratch(long floats) {
    if (scratchTaken) {
      throw new IllegalStateException(node + ": asks for scratch a second time");
    }
    scratchTaken = true;
    return new Operand(engine.scratch(floats * Float.BYTES).buffer(), 0);
  }

  Communicator communicator(Axis axis) {
    return engine.communicator(axis);
  }
}
