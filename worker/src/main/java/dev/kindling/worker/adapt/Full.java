package dev.kindling.worker.adapt;

import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;

/** No adapter: every weight is trained. */
public record Full() implements Adapter {
  @Override
  public Projection projection(ModelFamily model, long seed) {
    return new dev.kindling.worker.model.Full();
  }
}
