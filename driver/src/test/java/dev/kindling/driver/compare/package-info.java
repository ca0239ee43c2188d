/** Tests of comparing runs, with runs of seconds. */
@NullMarked
package dev.kindling.driver.compare;

import org.jspecify.annotations.NullMarked;
