// The library's entry point: which devices exist, why others do not open, and a backend for one of them.
#include <cstdio>
#include <cstring>

#include "cuda_backend.h"

namespace packed_rnn::cuda {

namespace {

[[noreturn]] void refuse(const char* code, const char* sentence) {
  Error failure{code, {}};
  std::snprintf(failure.message, sizeof failure.message, "%s", sentence);
  throw failure;
}

class CudaLibrary final : public Library {
 public:
  int count() override {
    int driver = 0;
    // Without a driver this returns 0 and no error, and the runtime reports that as an old driver.
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
      cudaGetLastError();
      refuse("ERR_CUDA_NO_DRIVER", "there is no NVIDIA driver on this machine");
    }
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    if (status == cudaErrorInsufficientDriver) {
      cudaGetLastError();
      Error failure{"ERR_CUDA_DRIVER_TOO_OLD", {}};
      int runtime = 0;
      cudaRuntimeGetVersion(&runtime);
      std::snprintf(failure.message, sizeof failure.message,
                    "the NVIDIA driver is for CUDA %d.%d, and CUDA %d.%d is needed", driver / 1000,
                    driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
      throw failure;
    }
    if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0)) {
      cudaGetLastError();
      refuse("ERR_CUDA_NO_DEVICE", "the NVIDIA driver shows no device");
    }
    PACKED_RNN_CHECK(status);
    return devices;
  }

  DeviceDescription describe(int ordinal) override {
    const cudaDeviceProp properties = supported(ordinal);
    DeviceDescription description{{}, properties.major, properties.minor, properties.totalGlobalMem};
    std::snprintf(description.name, sizeof description.name, "%s", properties.name);
    return description;
  }

  Backend* open(const DeviceOptions& options) override {
    count();
    const cudaDeviceProp properties = supported(options.ordinal);
    refuseWithoutKernels(options.ordinal, properties);
    return new CudaBackend(options, properties);
  }

 private:
  // A device between the architectures that the library is compiled for, or newer than its PTX and the driver
  // support.
  static void refuseWithoutKernels(int ordinal, const cudaDeviceProp& properties) {
    PACKED_RNN_CHECK(cudaSetDevice(ordinal));
    const cudaError_t status = findKernels();
    if (status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction &&
        status != cudaErrorUnsupportedPtxVersion) {
      return PACKED_RNN_CHECK(status);
    }
    cudaGetLastError();
    Error failure{"ERR_CUDA_DEVICE_UNSUPPORTED", {}};
    std::snprintf(failure.message, sizeof failure.message,
                  "the CUDA library has no code for device %d (%.100s, compute capability %d.%d): %s",
                  ordinal, properties.name, properties.major, properties.minor, cudaGetErrorString(status));
    throw failure;
  }
  static cudaDeviceProp supported(int ordinal) {
    cudaDeviceProp properties;
    PACKED_RNN_CHECK(cudaGetDeviceProperties(&properties, ordinal));
    if (properties.major * 10 + properties.minor < 75) {
      Error failure{"ERR_CUDA_DEVICE_TOO_OLD", {}};
      std::snprintf(failure.message, sizeof failure.message,
                    "device %d (%.100s) has compute capability %d.%d, and 7.5 is needed", ordinal,
                    properties.name, properties.major, properties.minor);
      throw failure;
    }
    return properties;
  }
};

}  // namespace

}  // namespace packed_rnn::cuda

extern "C" __attribute__((visibility("default"))) packed_rnn::Library* packed_rnn_open(const char* stamp) {
  static packed_rnn::cuda::CudaLibrary library;
  return std::strcmp(stamp, PACKED_RNN_STAMP) == 0 ? &library : nullptr;
}
