/**
 * The whole run as one immutable, validated record tree, read from YAML, and what follows from it
 * by arithmetic. Must not depend on the step, the loop, the network or the file system.
 */
@NullMarked
package dev.kindling.worker.plan;

import org.jspecify.annotations.NullMarked;
