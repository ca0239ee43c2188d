/** Mirrors the main package. */
@org.jspecify.annotations.NullMarked
package dev.kindling.driver.ml;
