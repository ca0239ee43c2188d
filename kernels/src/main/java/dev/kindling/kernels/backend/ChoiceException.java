package dev.kindling.kernels.backend;

/** A device cannot run what an adopted choice says. */
public final class ChoiceException extends DeviceException {
  private static final long serialVersionUID = 1L;

  private final String choice;

  /**
   * @param choice the line as {@link Backend#choices} writes it, without algorithm and time
   */
  public ChoiceException(String choice, String message) {
    super(message);
    this.choice = choice;
  }

  /** Device, library and shape of the choice, tabs between. */
  public String choice() {
    return choice;
  }
}
