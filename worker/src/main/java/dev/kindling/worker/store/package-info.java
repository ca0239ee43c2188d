/**
 * Where bytes rest: a small port over file systems, a local implementation, and strict JSON.
 *
 * <p>Names are relative to the root of a {@link dev.kindling.worker.store.Storage}; a name is
 * written once and never overwritten, and a small object that others may see appears whole or not
 * at all. Hadoop file systems live behind the same port in the driver and are found through {@link
 * dev.kindling.worker.store.StorageProvider}.
 *
 * <p>Read first: {@link dev.kindling.worker.store.Storage}, {@link
 * dev.kindling.worker.store.LocalStorage}, {@link dev.kindling.worker.store.StorageName}, {@link
 * dev.kindling.worker.store.Json}, {@link dev.kindling.worker.store.JsonReader}.
 *
 * <p>Must not depend on Spark, on Hadoop, or on any other room of the worker.
 */
@NullMarked
package dev.kindling.worker.store;

import org.jspecify.annotations.NullMarked;
