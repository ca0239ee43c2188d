/**
 * How parameters, gradients and optimizer state are spread over the ranks of the data axis.
 *
 * <p>Read first: {@link dev.kindling.worker.shard.Sharding} (what is sharded, and the stages),
 * {@link dev.kindling.worker.shard.ParameterPlaces} (what a model reads), {@link
 * dev.kindling.worker.shard.GradientExchange} (how ranks agree). It writes sentences and rewrites
 * graphs; it holds no memory and calls no communicator. Must not depend on the step, on files or on
 * configuration.
 */
@NullMarked
package dev.kindling.worker.shard;

import org.jspecify.annotations.NullMarked;
