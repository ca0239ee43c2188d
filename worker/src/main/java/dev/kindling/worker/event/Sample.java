package dev.kindling.worker.event;

/** Text that the model wrote after training: the prompt and its continuation. */
public record Sample(int rank, long step, String prompt, String text) implements WorkerEvent {}
