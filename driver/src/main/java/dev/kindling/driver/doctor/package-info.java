/**
 * What is wrong with a machine, and the mend.
 *
 * <p>Read first: {@link dev.kindling.driver.doctor.Examination} (what is looked at), {@link
 * dev.kindling.driver.doctor.Finding}, {@link dev.kindling.driver.doctor.Machine} (where the facts
 * come from; tests make them up), {@link dev.kindling.driver.doctor.DeviceFacts} (GPUs, driver and
 * libraries as a process of their own told them).
 *
 * <p>Must not start Spark, and must not load a native library into this process: a broken driver
 * would end it.
 */
@NullMarked
package dev.kindling.driver.doctor;

import org.jspecify.annotations.NullMarked;
