/** Tests of the wire between driver and executors. */
@NullMarked
package dev.kindling.driver.plugin;

import org.jspecify.annotations.NullMarked;
