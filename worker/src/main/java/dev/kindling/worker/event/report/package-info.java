/**
 * {@code report.html}: one page without network or scripts that shows what became of a run.
 *
 * <p>Read first: {@link dev.kindling.worker.event.report.Report}, {@link
 * dev.kindling.worker.event.report.Timeline} (attempts, faults, checkpoints), {@link
 * dev.kindling.worker.event.report.Plot} (a chart), {@link dev.kindling.worker.event.report.Markup}
 * (the only way text gets into the page). Must not depend on launchers or on anything that
 * computes: it reads files of a run folder.
 */
@NullMarked
package dev.kindling.worker.event.report;

import org.jspecify.annotations.NullMarked;
