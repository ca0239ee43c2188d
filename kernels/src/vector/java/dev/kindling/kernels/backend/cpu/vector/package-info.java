/**
 * Row kernels of the CPU backend: everything that is not a matrix product, twice, as plain Java
 * ({@code Scalar...}) and as Vector API code ({@code Vector...}), with the same bits.
 *
 * <p>Read {@link dev.kindling.kernels.backend.cpu.vector.Operand}, {@link
 * dev.kindling.kernels.backend.cpu.vector.ScalarMath}, {@link
 * dev.kindling.kernels.backend.cpu.vector.NormKernels} and its two implementations first. Callers
 * choose through {@code RowKernels} of the room {@code backend.cpu.row}.
 *
 * <p>This source set is compiled first and alone, so it depends on nothing of ours; and only {@code
 * Lanes} and classes named {@code Vector...} may mention the incubating module, so that the rest
 * loads in a JVM started without it.
 *
 * <p>Conventions. Positions are counted in 4-byte elements, never in bytes. A range [from, to) is
 * what one thread does; calls on disjoint ranges may run at the same time and give the same bits as
 * one call on the whole range. A sum over a row runs in 16 logical lanes: element i goes to lane i
 * mod 16 for the full blocks of 16, the lanes are folded 8, 4, 2, 1, and the rest of the row is
 * added to the result in order. Elements are F32 unless said otherwise. Shape letters: T tokens, D
 * model width, F MLP width, V vocabulary, C head width.
 */
package dev.kindling.kernels.backend.cpu.vector;
