package dev.kindling.kernels.backend.cpu.vector;

/**
 * Gated and plain activations over elements [from, to). Outputs may be any of the inputs.
 *
 * <p>SwiGLU: y = gate s up with s = sigmoid(gate); dup = dy gate s, dgate = dy up s (1 + gate (1 -
 * s)). After Shazeer 2020 (2002.05202).
 *
 * <p>GELU, tanh form: y = 0.5 x (1 + tanh(u)), u = sqrt(2/pi) (x + 0.044715 x^3), computed as x s
 * with s = sigmoid(2u); dx = dy (s + x s (1 - s) 2u').
 */
public interface ActivationKernels {
  void swiGlu(Operand gate, Operand up, Operand y, int from, int to);

  void swiGluBackward(
      Operand dy, Operand gate, Operand up, Operand dgate, Operand dup, int from, int to);

  void gelu(Operand x, Operand y, int from, int to);

  void geluBackward(Operand dy, Operand x, Operand dx, int from, int to);
}
