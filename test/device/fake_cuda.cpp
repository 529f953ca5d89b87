// A library in the place of libpacked_rnn_cuda.so with devices and no backend: what FAKE_CUDA says happens
// instead.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "backend.h"

using namespace packed_rnn;

namespace {

bool is(const char* fault) {
  const char* wanted = std::getenv("FAKE_CUDA");
  return wanted != nullptr && std::strcmp(wanted, fault) == 0;
}

[[noreturn]] void fail(const char* code, const char* message) {
  Error error{code, {}};
  std::snprintf(error.message, sizeof error.message, "%s", message);
  throw error;
}

// A good device and one that is too old; FAKE_CUDA=old-first swaps them, FAKE_CUDA=old-device leaves out the
// good one.
struct FakeLibrary : Library {
  int count() override {
    if (is("no-driver")) fail("ERR_CUDA_NO_DRIVER", "this machine has no driver");
    if (is("old-driver")) fail("ERR_CUDA_DRIVER_TOO_OLD", "the driver is of yesterday");
    if (is("no-device")) fail("ERR_CUDA_NO_DEVICE", "the driver finds no device");
    return is("old-device") ? 1 : 2;
  }
  DeviceDescription describe(int ordinal) override {
    const int old = is("old-device") || is("old-first") ? 0 : 1;
    if (ordinal == old) fail("ERR_CUDA_DEVICE_TOO_OLD", "the device is of the last century");
    DeviceDescription found{{}, 9, 0, std::size_t{80} << 30};
    std::snprintf(found.name, sizeof found.name, "Fake %d", ordinal);
    return found;
  }
  Backend* open(const DeviceOptions&) override { fail("ERR_OUT_OF_MEMORY", "a fake holds nothing"); }
};

}  // namespace

extern "C" __attribute__((visibility("default"))) Library* packed_rnn_open(const char* stamp) {
  static FakeLibrary library;
  return is("wrong-stamp") || std::strcmp(stamp, PACKED_RNN_STAMP) != 0 ? nullptr : &library;
}
