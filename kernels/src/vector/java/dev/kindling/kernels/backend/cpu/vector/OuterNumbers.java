package dev.kindling.kernels.backend.cpu.vector;

/**
 * Numbers of an outer step.
 *
 * @param momentumLimit of each element of the stored momentum, infinity for none
 * @param stepLimit of each element of the applied step, infinity for none
 * @param nesterov whether the step looks ahead by the momentum
 */
public record OuterNumbers(
    float gain,
    float rate,
    float momentum,
    float momentumLimit,
    float stepLimit,
    float share,
    boolean nesterov) {}
