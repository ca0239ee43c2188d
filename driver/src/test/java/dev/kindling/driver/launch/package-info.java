/** Tests of the Spark launcher and the attempt loop. */
@NullMarked
package dev.kindling.driver.launch;

import org.jspecify.annotations.NullMarked;
