/**
 * What a worker tells the outside: read-only facts, one way, in a compact wire form.
 *
 * <p>Read first: {@link dev.kindling.worker.event.WorkerEvent}, {@link
 * dev.kindling.worker.event.StepDone}, {@link dev.kindling.worker.event.EventSink}, {@link
 * dev.kindling.worker.event.EventCodec}; of logs, {@link dev.kindling.worker.event.LogBuffer}. Must
 * not depend on anything but Kryo. What is made of events lies below: {@code tensorboard} writes
 * event files, {@code report} the page of a run.
 */
@NullMarked
package dev.kindling.worker.event;

import org.jspecify.annotations.NullMarked;
