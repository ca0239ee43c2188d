/** Tests of the doctor, with made-up machines. */
@NullMarked
package dev.kindling.driver.doctor;

import org.jspecify.annotations.NullMarked;
