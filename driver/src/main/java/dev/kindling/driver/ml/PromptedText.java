package dev.kindling.driver.ml;

/**
 * Text of one row.
 *
 * @param prompt what stands before it when it is scored; empty: a document separator
 * @param prompted whether it has a prompt, be it an empty one
 */
record PromptedText(String prompt, String text, boolean prompted) {}
