/** Optimizers: one record each, written as sentences in the vocabulary of kernels. */
@NullMarked
package dev.kindling.optim.rule;

import org.jspecify.annotations.NullMarked;
