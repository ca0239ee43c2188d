package dev.kindling.worker.data;

import java.io.Serializable;

/**
 * Where training text comes from. Every kind but {@link Prepared} is tokenised and packed into a
 * prepared set by {@link Preparation}; {@code type:} in YAML picks the record.
 */
public sealed interface DataSpec extends Serializable permits Text, Jsonl, SourcesJars, Prepared {}
