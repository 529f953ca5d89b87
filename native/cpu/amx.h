// AMX, the matrix unit of Intel's servers since 2023: eight tile registers of up to 16 rows of 64 bytes. A
// test build has another file of this name, which computes the same without that unit.
#pragma once

#include <cstdint>

#include "cpu/tile_config.h"
#include "philox.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace packed_rnn::tiles {

// Sets the shapes of all tiles, and clears them.
PACKED_RNN_INLINE void configure(const TileConfig& config) {
  asm volatile("ldtilecfg %0" : : "m"(config) : "memory");
}
// Afterwards a thread has no tiles, which the system would otherwise save at each switch.
PACKED_RNN_INLINE void release() { asm volatile("tilerelease" : : : "memory"); }
template <int tile>
PACKED_RNN_INLINE void clear() {
  asm volatile("tilezero %%tmm%c0" : : "i"(tile));
}
// Row r is at data + r · stride; the stride is in bytes.
template <int tile>
PACKED_RNN_INLINE void read(const void* data, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(data), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
PACKED_RNN_INLINE void write(void* data, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(data), "r"(stride), "i"(tile) : "memory");
}
// sums += a · b: a has rows of pairs of bfloat16 along k, and b has a row of such pairs for each pair of a.
template <int sums, int a, int b>
PACKED_RNN_INLINE void multiply() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sums), "i"(a), "i"(b));
}

#if defined(__linux__) && defined(__x86_64__)

constexpr int kTileData = 18;  // the bit of XCR0

// Whether this CPU has AMX with bfloat16, and the system knows it.
inline bool supported() {
  constexpr unsigned kBfloat16 = 1u << 22, kTiles = 1u << 24;  // of EDX, leaf 7
  constexpr long kGetSupported = 0x1021;                       // asm/prctl.h
  unsigned a = 0, b = 0, c = 0, d = 0;
  std::uint64_t components = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kBfloat16) != 0 && (d & kTiles) != 0 &&
         syscall(SYS_arch_prctl, kGetSupported, &components) == 0 && (components >> kTileData & 1) != 0;
}

// Asks for the permission to use tiles, once, for all threads. A process that has it needs larger stacks for
// signals, so only one that uses tiles asks.
inline bool request() {
  constexpr long kRequestPermission = 0x1023;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

#else

inline bool supported() { return false; }
inline bool request() { return false; }

#endif

}  // namespace packed_rnn::tiles
