package dev.kindling.worker.event;

/**
 * Validation after a step.
 *
 * @param loss mean over all validation tokens, nats per token
 * @param tokens counted
 */
public record Validated(int rank, long step, float loss, long tokens) implements WorkerEvent {}
