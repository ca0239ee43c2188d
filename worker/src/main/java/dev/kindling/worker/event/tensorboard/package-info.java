/**
 * TensorBoard's event files: records of protocol buffer messages, written by hand because the four
 * messages that scalars need are a page of code, and TensorFlow's own classes are hundreds of
 * megabytes.
 *
 * <p>Read first: {@link dev.kindling.worker.event.tensorboard.EventFile}. Must not depend on
 * anything but the JDK; tests decode with classes generated from the {@code .proto} files.
 */
@NullMarked
package dev.kindling.worker.event.tensorboard;

import org.jspecify.annotations.NullMarked;
