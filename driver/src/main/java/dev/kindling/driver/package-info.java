/** Front door: Spark, launch, command line. The only room that imports Spark. */
@NullMarked
package dev.kindling.driver;

import org.jspecify.annotations.NullMarked;
