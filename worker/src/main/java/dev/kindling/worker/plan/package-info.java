/** The whole run as one immutable, validated tree of records. */
@NullMarked
package dev.kindling.worker.plan;

import org.jspecify.annotations.NullMarked;
