/**
 * Adapters: which weights of a model are trained, and what is added beside its linear maps.
 *
 * <p>Read first: {@link dev.kindling.worker.adapt.Adapter} (what {@code adapter:} of a
 * configuration names), {@link dev.kindling.worker.adapt.Lora}, {@link
 * dev.kindling.worker.adapt.Paca}. Each is one record that makes one {@link
 * dev.kindling.worker.model.Projection}; a frozen weight is applied by the one sentence of {@link
 * dev.kindling.worker.adapt.Frozen}. Must not depend on the step, on plans or on checkpoints.
 */
@NullMarked
package dev.kindling.worker.adapt;

import org.jspecify.annotations.NullMarked;
