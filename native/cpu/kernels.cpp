#include "cpu/kernels.h"

namespace packed_rnn::PACKED_RNN_ISA {

Kernels::Kernels(const CpuOptions& options) : CpuBackend(options) {}

Backend* open(const CpuOptions& options);
Backend* open(const CpuOptions& options) { return new Kernels(options); }

}  // namespace packed_rnn::PACKED_RNN_ISA
