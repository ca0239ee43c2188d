package dev.kindling.optim.rule;

/**
 * A rule that treats every element of a parameter alike: it suits tables, heads, gains and biases.
 */
public sealed interface ElementRule extends UpdateRule permits AdamW, Lion, Sgd {}
