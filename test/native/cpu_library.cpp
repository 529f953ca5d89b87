// The CPU backend as a separate library, so that the driver can run it under sanitizers.
#include <cstdlib>
#include <cstring>

#include "cpu/cpu_backend.h"

namespace packed_rnn {

namespace {

class CpuLibrary final : public Library {
 public:
  int count() override { return 1; }
  DeviceDescription describe(int) override { return {"cpu", 0, 0, 0}; }

  // The driver's two paths are teams of two and of three threads. tf32 is float32 in a team of one.
  Backend* open(const DeviceOptions& options) override {
    const char* const forced = std::getenv("PACKED_RNN_CPU");
    const bool pairs = options.precision == Precision::bfloat16;
    const int threads = options.precision == Precision::tf32 ? 1 : (options.stepwise ? 3 : 2);
    const CpuOptions own{threads, options.memoryLimit};
    if (!pairs) return chooseCpu(forced, Precision::float32).open(own);
    try {
      return chooseCpu(forced, Precision::bfloat16).open(own);
    } catch (const Error&) {
      return chooseCpu(forced, Precision::float32).open(own);  // a CPU without bfloat16
    }
  }
};

}  // namespace

}  // namespace packed_rnn

extern "C" __attribute__((visibility("default"))) packed_rnn::Library* packed_rnn_open(const char* stamp) {
  static packed_rnn::CpuLibrary library;
  return std::strcmp(stamp, PACKED_RNN_STAMP) == 0 ? &library : nullptr;
}
