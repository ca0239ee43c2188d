/**
 * The command line: words of a user to requests, errors to messages and exit codes.
 *
 * <p>Read first: {@link dev.kindling.driver.cli.Kindling} (the list of commands), {@link
 * dev.kindling.driver.cli.ExitCodes}, {@link dev.kindling.driver.cli.RunFolder}, {@link
 * dev.kindling.driver.cli.CommandBodies} (what the commands do).
 *
 * <p>The only package that writes to standard output and the only one that knows picocli. Nothing
 * may depend on it but {@code Main}.
 */
@NullMarked
package dev.kindling.driver.cli;

import org.jspecify.annotations.NullMarked;
