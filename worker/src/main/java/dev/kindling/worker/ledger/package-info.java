/**
 * What a run computed, step by step: bits of loss and gradient norm and which samples were fed, as
 * every rank saw it, in files that outlive the processes. A recovery compares the steps that it
 * computes again; two runs are compared by the same files.
 *
 * <p>Layout: {@code <run-dir>/ledger/eEPOCH-sSEGMENT-rRANK.log}, one file for each rank and attempt
 * (the fencing epoch is in the name, so what a rank of an older attempt still writes is seen by
 * nobody who looks for newer lines). A header line says which trajectory the file belongs to; lines
 * of {@link dev.kindling.worker.ledger.LedgerLine#BYTES} bytes follow, one a step, so a step is
 * found without reading those before it. The chain over all steps travels with checkpoints.
 *
 * <p>Read first: {@link dev.kindling.worker.ledger.LedgerLine}, {@link
 * dev.kindling.worker.ledger.LedgerChain}, {@link dev.kindling.worker.ledger.LedgerWriter}, {@link
 * dev.kindling.worker.ledger.LedgerHistory}, {@link dev.kindling.worker.ledger.LedgerAttempt}. Must
 * not depend on the loop that it records.
 */
@NullMarked
package dev.kindling.worker.ledger;

import org.jspecify.annotations.NullMarked;
