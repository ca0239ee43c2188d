/**
 * Models as stages of Spark ML: text columns in, a column of continuations or scores out; and runs
 * that train on a column of a DataFrame, inside the session that made it.
 *
 * <p>Read first: {@link dev.kindling.driver.ml.KindlingTrainer}, {@link
 * dev.kindling.driver.ml.KindlingModel}. No logic that decides a token or a score lives here: it is
 * {@code worker.generate}'s and {@code worker.evaluate}'s, and must not depend on how Spark cuts
 * the rows.
 */
@NullMarked
package dev.kindling.driver.ml;

import org.jspecify.annotations.NullMarked;
