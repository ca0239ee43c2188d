/**
 * Benchmarks as programs: each measures us beside a peer or beside a simpler form of ourselves, and
 * prints lines {@code RESULT name value unit}.
 *
 * <p>Read first: {@link dev.kindling.benchmarks.Bench} (the list of names), {@code Benchmark},
 * {@code Results}, {@code KindlingCommand} (runs that are processes of their own), {@code
 * CpuTrainBench}.
 *
 * <p>Must not depend on being tested: no other room imports this one, and no bound on a time is
 * checked here.
 */
@NullMarked
package dev.kindling.benchmarks;

import org.jspecify.annotations.NullMarked;
