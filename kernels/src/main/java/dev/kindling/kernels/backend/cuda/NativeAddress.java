package dev.kindling.kernels.backend.cuda;

import org.bytedeco.javacpp.Pointer;

/** A number as the pointer type of the library bindings; owns nothing. */
final class NativeAddress extends Pointer {
  NativeAddress(long number) {
    super((Pointer) null);
    address = number;
  }
}
