package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.vectorEnd;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Vector API {@link ActivationKernels}. Nothing of ours may be called after the exponential: it
 * fills the compiler's node budget, beyond which only the JDK's own vector methods are inlined, and
 * one call that is not puts a vector into a box.
 */
public final class VectorActivations implements ActivationKernels {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final ScalarActivations SCALAR = new ScalarActivations();

  @Override
  public void swiGlu(Operand gate, Operand up, Operand y, int from, int to) {
    ByteBuffer gb = gate.buffer();
    ByteBuffer ub = up.buffer();
    ByteBuffer yb = y.buffer();
    int ga = gate.at();
    int ua = up.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      FloatVector g = load(gb, ga + i);
      FloatVector u = load(ub, ua + i);
      g.mul(VectorMath.sigmoid(g)).mul(u).intoByteBuffer(yb, (ya + i) << 2, ORDER);
    }
    SCALAR.swiGlu(gate, up, y, end, to);
  }

  @Override
  public void swiGluBackward(
      Operand dy, Operand gate, Operand up, Operand dgate, Operand dup, int from, int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer gb = gate.buffer();
    ByteBuffer ub = up.buffer();
    ByteBuffer dgb = dgate.buffer();
    ByteBuffer dub = dup.buffer();
    int da = dy.at();
    int ga = gate.at();
    int ua = up.at();
    int dga = dgate.at();
    int dua = dup.at();
    int end = vectorEnd(from, to);
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    for (int i = from; i < end; i += W) {
      FloatVector d = load(db, da + i);
      FloatVector g = load(gb, ga + i);
      FloatVector u = load(ub, ua + i);
      FloatVector s = VectorMath.sigmoid(g);
      d.mul(u).mul(s).mul(g.fma(one.sub(s), one)).intoByteBuffer(dgb, (dga + i) << 2, ORDER);
      d.mul(g.mul(s)).intoByteBuffer(dub, (dua + i) << 2, ORDER);
    }
    SCALAR.swiGluBackward(dy, gate, up, dgate, dup, end, to);
  }

  @Override
  public void gelu(Operand x, Operand y, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer yb = y.buffer();
    int xa = x.at();
    int ya = y.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      FloatVector v = load(xb, xa + i);
      v.mul(VectorMath.sigmoid(VectorMath.geluArgument(v)))
          .intoByteBuffer(yb, (ya + i) << 2, ORDER);
    }
    SCALAR.gelu(x, y, end, to);
  }

  @Override
  public void geluBackward(Operand dy, Operand x, Operand dx, int from, int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer xb = x.buffer();
    ByteBuffer dxb = dx.buffer();
    int da = dy.at();
    int xa = x.at();
    int dxa = dx.at();
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      VectorMath.geluGradient(load(db, da + i), load(xb, xa + i))
          .intoByteBuffer(dxb, (dxa + i) << 2, ORDER);
    }
    SCALAR.geluBackward(dy, x, dx, end, to);
  }
}
