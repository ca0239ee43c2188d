package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;

/** The emptying side of a {@link SharedPipe}. What is held stays in the pipe: it is the window. */
final class SharedInlet implements Inlet {
  private final SharedPipe pipe;
  private long seen;
  private long windowStart;
  private long held;
  private long released;

  SharedInlet(SharedPipe pipe) {
    this.pipe = pipe;
  }

  boolean movable() {
    return arrived() > 0;
  }

  /** Not yet seen; negative while the writer has not passed the gap to the next cache line. */
  private long arrived() {
    return pipe.written() - seen;
  }

  @Override
  public void begin() {
    seen = SharedPipe.aligned(seen);
    held = 0;
    released = 0;
  }

  @Override
  public int move(SpanView view, int at, int count) {
    int bytes = (int) Math.max(0, Math.min(count, arrived()));
    int place = pipe.place(seen);
    int first = Math.min(bytes, pipe.data().length() - place);
    view.copy(at, pipe.data(), place, first);
    view.copy(at + first, pipe.data(), 0, bytes - first);
    seen += bytes;
    publish();
    return bytes;
  }

  @Override
  public int hold(int count) {
    if (held == 0) {
      windowStart = seen;
    }
    int bytes = (int) Math.max(0, Math.min(count, arrived()));
    held += bytes;
    seen += bytes;
    return bytes;
  }

  @Override
  public long room() {
    return Long.MAX_VALUE / 2;
  }

  @Override
  public void release(long bytes) {
    released = bytes;
    publish();
  }

  private void publish() {
    pipe.publishRead(released < held ? windowStart + released : seen);
  }

  @Override
  public SpanView window() {
    return pipe.data();
  }

  @Override
  public int place(long index) {
    return pipe.place(windowStart + index);
  }
}
