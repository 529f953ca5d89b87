// The tiles of a set with a matrix unit: which registers a product uses, and how long a thread keeps them.
#pragma once

#include "cpu/terms.h"

#if defined(PACKED_RNN_TILES)

#include "cpu/amx.h"

namespace packed_rnn::PACKED_RNN_ISA {

constexpr bool kHasTiles = true;
constexpr int kTileSide = 16;  // rows of a tile, terms of a row of an operand, and columns of a sum

// Registers 4 and 5 hold rows of a, 6 and 7 columns of b, 0 to 3 sums. Up to 16 rows: sum v is vector v of
// the columns. More: sums 0 and 1 are two vectors of the upper 16 rows, and 2 and 3 those of the other rows.
extern constinit thread_local int tiledRows;  // the rows that this thread's tiles are for; 0: it has none
void shapeTiles(int rows);

PACKED_RNN_INLINE void beginTiles(int rows) {
  if (tiledRows != rows) shapeTiles(rows);
}
PACKED_RNN_INLINE void endTiles() {
  if (tiledRows == 0) return;
  tiles::release();
  tiledRows = 0;
}

}  // namespace packed_rnn::PACKED_RNN_ISA

#else

namespace packed_rnn::PACKED_RNN_ISA {

constexpr bool kHasTiles = false;
PACKED_RNN_INLINE void endTiles() {}

}  // namespace packed_rnn::PACKED_RNN_ISA

#endif
