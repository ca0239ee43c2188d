package dev.kindling.worker.data;

import java.io.Serializable;

/** How text becomes token ids; {@code type:} in YAML picks the record. */
public sealed interface TokenizerSpec extends Serializable permits Bytes, Huggingface {
  /** The same tokenizer from any working folder; see {@link DataSpec#absolute()}. */
  TokenizerSpec absolute();
}
