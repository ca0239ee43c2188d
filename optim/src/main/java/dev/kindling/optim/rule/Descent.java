package dev.kindling.optim.rule;

import java.util.List;

/** How a step moves the parameters: along their gradients, or along random directions. */
public sealed interface Descent permits Optimizer, Mezo {

  /** Learning rate before the schedule's factor: the one that logs show. */
  double lr();

  /** Who fills step block i, by i. */
  List<StepFill> stepFills();
}
