// Which instruction set: the first of a list that this CPU has, or the one that is asked for.
#include <cstdio>
#include <cstring>

#include "cpu/cpu_backend.h"

namespace packed_rnn {

namespace portable {
Backend* open(const CpuOptions&);
CpuCeilings measure(Backend&);
}  // namespace portable

#if defined(__x86_64__)
namespace avx2 {
Backend* open(const CpuOptions&);
CpuCeilings measure(Backend&);
}  // namespace avx2
namespace avx512 {
Backend* open(const CpuOptions&);
CpuCeilings measure(Backend&);
}  // namespace avx512
namespace {
bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace
#endif

namespace {
bool always() { return true; }
}  // namespace

const CpuCandidate kCpuCandidates[] = {
#if defined(__x86_64__)
    {"avx512", hasAvx512, avx512::open, avx512::measure},
    {"avx2", hasAvx2, avx2::open, avx2::measure},
#endif
    {"portable", always, portable::open, portable::measure},
};
const int kCpuCandidateCount = sizeof kCpuCandidates / sizeof kCpuCandidates[0];

const CpuCandidate& chooseCpu(const char* forced) {
  Error failure{"ERR_DEVICE_UNAVAILABLE", {}};
  std::snprintf(failure.message, sizeof failure.message,
                "PACKED_RNN_CPU: wanted avx512, avx2 or portable, got %s", forced == nullptr ? "" : forced);
  for (const CpuCandidate& candidate : kCpuCandidates) {
    const bool named = forced != nullptr && std::strcmp(forced, candidate.name) == 0;
    if ((forced == nullptr || named) && candidate.supported()) return candidate;
    if (named)
      std::snprintf(failure.message, sizeof failure.message, "PACKED_RNN_CPU: this CPU has no %s",
                    candidate.name);
  }
  throw failure;
}

}  // namespace packed_rnn
