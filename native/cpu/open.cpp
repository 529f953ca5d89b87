// Chooses the instruction set: the first of a list that this CPU has, or the requested one.
#include <cstdio>
#include <cstring>

#include "cpu/amx.h"
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
namespace avx512bf16 {
Backend* open(const CpuOptions&);
CpuCeilings measure(Backend&);
}  // namespace avx512bf16
#if defined(PACKED_RNN_AMX)
namespace amx {
Backend* open(const CpuOptions&);
CpuCeilings measure(Backend&);
}  // namespace amx
#endif
namespace {
bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
bool hasBfloat16() { return hasAvx512() && __builtin_cpu_supports("avx512bf16"); }
#if defined(PACKED_RNN_AMX)
bool hasAmx() { return hasBfloat16() && tiles::supported(); }
Backend* openAmx(const CpuOptions& options) {
  if (tiles::request()) return amx::open(options);
  throw Error{"ERR_DEVICE_UNAVAILABLE",
              "the system does not permit AMX; PACKED_RNN_CPU=avx512 has bfloat16 without it"};
}
#endif
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace
#endif

namespace {
bool always() { return true; }
}  // namespace

const CpuCandidate kCpuCandidates[] = {
#if defined(__x86_64__)
#if defined(PACKED_RNN_AMX)
    {"amx", Precision::bfloat16, hasAmx, openAmx, amx::measure},
#endif
    {"avx512", Precision::float32, hasAvx512, avx512::open, avx512::measure},
    {"avx512", Precision::bfloat16, hasBfloat16, avx512bf16::open, avx512bf16::measure},
    {"avx2", Precision::float32, hasAvx2, avx2::open, avx2::measure},
#endif
    {"portable", Precision::float32, always, portable::open, portable::measure},
#if defined(PACKED_RNN_AMX)
    // If amx is forced, float32 uses AVX-512.
    {"amx", Precision::float32, hasAmx, avx512::open, avx512::measure},
#endif
};
const int kCpuCandidateCount = sizeof kCpuCandidates / sizeof kCpuCandidates[0];

const CpuCandidate& chooseCpu(const char* forced, Precision precision) {
  const auto isNamed = [&](const CpuCandidate& candidate) {
    return forced == nullptr || std::strcmp(forced, candidate.name) == 0;
  };
  for (const CpuCandidate& candidate : kCpuCandidates) {
    if (isNamed(candidate) && candidate.precision == precision && candidate.supported()) return candidate;
  }
  bool known = false, supported = false;
  for (const CpuCandidate& candidate : kCpuCandidates) {
    known = known || isNamed(candidate);
    supported = supported || (isNamed(candidate) && candidate.supported());
  }
  Error failure{"ERR_DEVICE_UNAVAILABLE", {}};
  const auto say = [&](const char* format) {
    std::snprintf(failure.message, sizeof failure.message, format, forced == nullptr ? "" : forced);
  };
  if (!known) {
    say("PACKED_RNN_CPU: wanted amx, avx512, avx2 or portable, got %s");
  } else if (!supported) {
    say("PACKED_RNN_CPU: this CPU has no %s");
  } else if (forced == nullptr) {
    say("precision: wanted float32 on a CPU without AVX512-BF16, got bfloat16");
  } else {
    say("precision: wanted float32, as PACKED_RNN_CPU is %s or this CPU has no AVX512-BF16, got bfloat16");
  }
  throw failure;
}

}  // namespace packed_rnn
