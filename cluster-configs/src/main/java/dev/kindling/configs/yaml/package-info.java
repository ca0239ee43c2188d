/** Strict YAML to records, with every error at once. */
@NullMarked
package dev.kindling.configs.yaml;

import org.jspecify.annotations.NullMarked;
