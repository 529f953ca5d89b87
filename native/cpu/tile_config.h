// What AMX's `ldtilecfg` reads: the shapes of the tiles.
#pragma once

#include <cstdint>

namespace packed_rnn::tiles {

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, startRow = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t rowBytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

}  // namespace packed_rnn::tiles
