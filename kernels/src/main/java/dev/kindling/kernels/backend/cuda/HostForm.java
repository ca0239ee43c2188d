package dev.kindling.kernels.backend.cuda;

/** How the device stores what the host sees as fp32. */
enum HostForm {
  /** As the host does. */
  PLAIN,
  BF16,
  /** Codes of 8 bits, their grids behind them. */
  CODES
}
