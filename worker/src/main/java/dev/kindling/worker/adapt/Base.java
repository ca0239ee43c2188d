package dev.kindling.worker.adapt;

/** How the hidden matrices that an adapter leaves frozen are kept. */
public enum Base {
  /** In the precision of the device's products. */
  PLAIN,
  /** In 4 bits, unpacked for each product: QLoRA (2305.14314), QPaCA (2503.01905). */
  NF4
}
