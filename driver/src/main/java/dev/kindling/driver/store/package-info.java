/**
 * Checkpoints on Hadoop file systems, behind the port of {@link dev.kindling.worker.store}.
 *
 * <p>Read first: {@link dev.kindling.driver.store.HadoopStorage}, {@link
 * dev.kindling.driver.store.CommitRule} (what makes a commit exclusive on which store), {@link
 * dev.kindling.driver.store.HadoopOutput}, {@link dev.kindling.driver.store.HadoopStorageProvider}.
 * The classes of Hadoop are those of the cluster, from 3.4 on. Must not know checkpoints, launchers
 * or the command line.
 */
@NullMarked
package dev.kindling.driver.store;

import org.jspecify.annotations.NullMarked;
