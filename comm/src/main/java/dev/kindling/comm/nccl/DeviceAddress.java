package dev.kindling.comm.nccl;

import org.bytedeco.javacpp.Pointer;

/** A number as the pointer type of the library bindings; owns nothing. */
final class DeviceAddress extends Pointer {
  DeviceAddress(long number) {
    super((Pointer) null);
    address = number;
  }
}
