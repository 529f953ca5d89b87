// The tiles of a set with a matrix unit: which registers a product uses, and how long a thread keeps them.
#pragma once

#include "cpu/terms.h"

#if defined(PACKED_RNN_TILES)

#include "cpu/amx.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr bool kHasTiles = true;
constexpr int kTileSide = 16;  // rows of a tile, terms of a row of an operand, and columns of a sum

// Registers 0 to 3 hold sums, 4 and 5 rows of a, 6 and 7 columns of b. With at most 16 rows, the sums are
// neighbours in a row; with more, 0 and 1 belong to the upper 16, and 2 and 3 to the rest.
extern constinit thread_local int tiledRows;  // the rows that this thread's tiles are for; 0: it has none
void shapeTiles(int rows);

PACKED_RNN_INLINE void beginTiles(int rows) {
  if (tiledRows != rows) shapeTiles(rows);
}
PACKED_RNN_INLINE void endTiles() {
  if (tiledRows == 0) return;
  amx::release();
  tiledRows = 0;
}

}  // namespace packed_rnn::PACKED_RNN_ISA

#else

namespace packed_rnn::PACKED_RNN_ISA {

constexpr bool kHasTiles = false;
PACKED_RNN_INLINE void endTiles() {}

}  // namespace packed_rnn::PACKED_RNN_ISA

#endif
