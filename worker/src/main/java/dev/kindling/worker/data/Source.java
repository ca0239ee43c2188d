package dev.kindling.worker.data;

import java.io.Serializable;

/** Data from one place; several of them make a {@link Mixture}. */
public sealed interface Source extends DataSpec, Serializable
    permits Text, Jsonl, Chat, Sql, SourcesJars, Prepared {
  @Override
  Source absolute();
}
