package dev.kindling.worker.jinja;

/** The value of a name that has none: false, empty, and an error for whoever looks inside. */
record Undefined(String name) {}
