// Denormals are zero on every thread that computes.
#pragma once

#include <cstdint>

namespace packed_rnn {

// From here on this thread's arithmetic reads denormal operands as zeros and returns zeros for denormal
// results. Vanishing gradients pass through the denormals, where some CPUs take a hundred cycles for an
// addition.
inline void flushDenormals() {
#if defined(__x86_64__)
  constexpr unsigned kFlushToZero = 1u << 15, kDenormalsAreZero = 1u << 6;
  __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | kFlushToZero | kDenormalsAreZero);
#elif defined(__aarch64__)
  constexpr std::uint64_t kFlushToZero = std::uint64_t{1} << 24;
  std::uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  asm volatile("msr fpcr, %0" : : "r"(mode | kFlushToZero));
#endif
}

}  // namespace packed_rnn
