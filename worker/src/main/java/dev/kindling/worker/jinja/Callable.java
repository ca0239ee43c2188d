package dev.kindling.worker.jinja;

import java.util.List;
import java.util.Map;

/** A value that can be called. */
interface Callable {
  Object call(List<Object> arguments, Map<String, Object> named);
}
