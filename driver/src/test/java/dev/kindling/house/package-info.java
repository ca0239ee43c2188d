/** Rules of the house that fail the build: which room may see which, sizes, names, documents. */
@NullMarked
package dev.kindling.house;

import org.jspecify.annotations.NullMarked;
