package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;

/** The filling side of a {@link SharedPipe}. */
final class SharedOutlet implements Port {
  private final SharedPipe pipe;
  private long written;

  SharedOutlet(SharedPipe pipe) {
    this.pipe = pipe;
  }

  boolean movable() {
    return free() > 0;
  }

  private long free() {
    return pipe.data().length() - (written - pipe.read());
  }

  @Override
  public void begin() {
    written = SharedPipe.aligned(written);
  }

  @Override
  public int move(SpanView view, int at, int count) {
    int bytes = (int) Math.max(0, Math.min(count, free()));
    int place = pipe.place(written);
    int first = Math.min(bytes, pipe.data().length() - place);
    pipe.data().copy(place, view, at, first);
    pipe.data().copy(0, view, at + first, bytes - first);
    written += bytes;
    pipe.publishWritten(written);
    return bytes;
  }
}
