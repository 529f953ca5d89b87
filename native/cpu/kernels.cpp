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

Backend* open(const CpuOptions& options);
Backend* open(const CpuOptions& options) { return new Kernels(options); }

}  // namespace packed_rnn::PACKED_RNN_ISA
