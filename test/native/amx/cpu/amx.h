// AMX's tiles in memory, instead of native/cpu/amx.h: the same functions with the same checks and the same
// sums, for any CPU that has bfloat16. A use that the unit would reject ends the process.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/tile_config.h"

namespace packed_rnn::tiles {

[[noreturn]] inline void refuse(const char* message) {
  std::fprintf(stderr, "tiles: %s\n", message);
  std::abort();
}

struct Tiles {
  TileConfig config{0};
  std::uint32_t data[8][16][16];
  ~Tiles() {
    if (config.palette != 0) refuse("a thread ended without releasing them");
  }
};
inline thread_local Tiles registers;
inline int rowsOf(int tile) {
  if (registers.config.palette != 1) refuse("they have no shape");
  return registers.config.rows[tile];
}
inline int wordsOf(int tile) { return registers.config.rowBytes[tile] / 4; }

inline void configure(const TileConfig& config) {
  if (config.palette != 1 || config.startRow != 0) refuse("palette 1 is the only one");
  for (int tile = 0; tile < 8; tile++) {
    if (config.rows[tile] < 1 || config.rows[tile] > 16) refuse("1 to 16 rows");
    if (config.rowBytes[tile] < 4 || config.rowBytes[tile] > 64 || config.rowBytes[tile] % 4 != 0)
      refuse("1 to 16 words");
  }
  std::memset(&registers.data, 0, sizeof registers.data);
  registers.config = config;
}
inline void release() { registers.config.palette = 0; }
template <int tile>
void clear() {
  static_cast<void>(rowsOf(tile));
  std::memset(registers.data[tile], 0, sizeof registers.data[tile]);
}
template <int tile>
void read(const void* data, std::int64_t stride) {
  const int rows = rowsOf(tile);
  std::memset(registers.data[tile], 0, sizeof registers.data[tile]);
  for (int r = 0; r < rows; r++)
    std::memcpy(registers.data[tile][r], static_cast<const char*>(data) + r * stride,
                registers.config.rowBytes[tile]);
}
template <int tile>
void write(void* data, std::int64_t stride) {
  const int rows = rowsOf(tile);
  for (int r = 0; r < rows; r++)
    std::memcpy(static_cast<char*>(data) + r * stride, registers.data[tile][r],
                registers.config.rowBytes[tile]);
}

inline float asFloat(std::uint32_t bits) {
  // Denormals are zero.
  if ((bits & 0x7F800000) == 0) bits &= 0x80000000;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline float sumOf(float a, float b, float c) {
  return asFloat(__builtin_bit_cast(std::uint32_t, __builtin_fmaf(a, b, c)));
}

// As Intel's manual describes TDPBF16PS: the earlier and the later products of the pairs have a sum each,
// from 0; then both are added to each other, and to the tile.
template <int sums, int a, int b>
void multiply() {
  const int pairs = wordsOf(a), columns = wordsOf(sums);
  if (rowsOf(a) != rowsOf(sums) || rowsOf(b) != pairs || wordsOf(b) != columns)
    refuse("shapes that do not fit");
  for (int m = 0; m < rowsOf(sums); m++) {
    float earlier[16] = {}, later[16] = {};
    for (int k = 0; k < pairs; k++) {
      const std::uint32_t x = registers.data[a][m][k];
      for (int n = 0; n < columns; n++) {
        const std::uint32_t y = registers.data[b][k][n];
        earlier[n] = sumOf(asFloat(x << 16), asFloat(y << 16), earlier[n]);
        later[n] = sumOf(asFloat(x & 0xFFFF0000), asFloat(y & 0xFFFF0000), later[n]);
      }
    }
    for (int n = 0; n < columns; n++) {
      const float sum = asFloat(registers.data[sums][m][n]) + (earlier[n] + later[n]);
      std::memcpy(&registers.data[sums][m][n], &sum, sizeof sum);
    }
  }
}

inline bool supported() { return true; }
inline bool request() { return true; }

}  // namespace packed_rnn::tiles
