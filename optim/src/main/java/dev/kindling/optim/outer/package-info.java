/**
 * Local-update methods: how replicas that train apart meet in an outer step. One record each, of a
 * few numbers, that answers with the parts of one outer step.
 *
 * <p>Read first: {@link dev.kindling.optim.outer.OuterMethod}, {@link
 * dev.kindling.optim.outer.OuterStep}, {@link dev.kindling.optim.outer.OuterSentences}.
 *
 * <p>Writes sentences and fills scalars; begins no reduction and knows no ranks. Must not depend on
 * anything but the graph.
 */
@NullMarked
package dev.kindling.optim.outer;

import org.jspecify.annotations.NullMarked;
