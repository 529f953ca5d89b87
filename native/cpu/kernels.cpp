#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

namespace {

using Products = Join<ProductOps, RecurrentOps>;

template <class... O>
struct Table {
  Runner<CpuBackend> at[sizeof...(O)];
};
template <class... O>
constexpr Table<O...> tableOf(List<O...>) {
  return {{[](CpuBackend& kernels, const void* op) {
    if constexpr (Products::has<O>) {
      PACKED_RNN_ISA::run(kernels, *static_cast<const O*>(op));
    } else {
      PACKED_RNN_PLAIN::run(kernels, *static_cast<const O*>(op));
    }
  }...}};
}
constexpr auto kTable = tableOf(Ops{});

}  // namespace

Kernels::Kernels(const CpuOptions& options) : CpuBackend(options) {}

void Kernels::run(int op, const void* arguments) { kTable.at[op](*this, arguments); }

#if defined(PACKED_RNN_TILES)
constinit thread_local int tiledRows = 0;

void shapeTiles(int rows) {
  const int upper = rows < kTileSide ? rows : kTileSide, lower = rows > kTileSide ? rows - kTileSide : upper;
  const int of[8] = {upper, upper, lower, lower, upper, lower, kTileSide, kTileSide};
  tiles::TileConfig config;
  for (int tile = 0; tile < 8; tile++) {
    config.rowBytes[tile] = kTileSide * sizeof(Term);
    config.rows[tile] = static_cast<std::uint8_t>(of[tile]);
  }
  tiles::configure(config);
  tiledRows = rows;
}
#endif

Backend* open(const CpuOptions& options);
Backend* open(const CpuOptions& options) { return new Kernels(options); }

}  // namespace packed_rnn::PACKED_RNN_ISA
