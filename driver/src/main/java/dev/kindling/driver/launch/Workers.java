package dev.kindling.driver.launch;

import dev.kindling.worker.plan.Device;

/**
 * The ranks that a run needs at the same time.
 *
 * @param ranks how many
 * @param device of each
 */
record Workers(int ranks, Device device) {}
