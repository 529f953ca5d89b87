#include "standin/device.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "standin/queue.h"

namespace standin {

namespace {

thread_local cudaError_t lastError = cudaSuccess;
std::atomic<long> kernels = 0;
thread_local int currentOrdinal = 0;

long number(const char* variable, long otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtol(text, nullptr, 10);
}

std::size_t sharedPerProcessorOf(int architecture) {
  switch (architecture) {
    case 75:
      return 64 << 10;
    case 80:
      return 164 << 10;
    case 86:
    case 89:
    case 120:
      return 100 << 10;
    default:
      return 228 << 10;
  }
}

Device fromEnvironment() {
  Device device = {};
  device.architecture = static_cast<int>(number("PACKED_RNN_STANDIN_ARCH", 90));
  device.processors = static_cast<int>(number("PACKED_RNN_STANDIN_PROCESSORS", 4));
  device.memory = static_cast<std::size_t>(number("PACKED_RNN_STANDIN_MEMORY", 8l << 30));
  device.sharedPerProcessor = sharedPerProcessorOf(device.architecture);
  // From sm_80 on the system uses a kilobyte of each block's memory.
  device.sharedPerBlock = device.sharedPerProcessor - (device.architecture >= 80 ? 1 << 10 : 0);
  device.driverVersion = CUDART_VERSION;
  const char* const fault = std::getenv("PACKED_RNN_STANDIN_FAULT");
  device.hasImage = fault == nullptr || std::strcmp(fault, "no-image") != 0;
  const auto is = [fault](const char* name) { return fault != nullptr && std::strcmp(fault, name) == 0; };
  if (is("no-driver")) {
    device.driverVersion = 0;
    device.fault = cudaErrorInsufficientDriver;
  } else if (is("old-driver")) {
    device.driverVersion = 11040;
    device.fault = cudaErrorInsufficientDriver;
  } else if (is("no-device")) {
    device.fault = cudaErrorNoDevice;
  } else if (fault != nullptr && std::strncmp(fault, "lost:", 5) == 0) {
    char* end;
    device.kernelsToLoss = std::strtol(fault + 5, &end, 10);
    device.loss =
        *end == ':' ? static_cast<cudaError_t>(std::strtol(end + 1, nullptr, 10)) : cudaErrorIllegalAddress;
  }
  return device;
}

}  // namespace

const Device& device() {
  static const Device device = fromEnvironment();
  return device;
}

void countKernel() { kernels++; }

cudaError_t state() {
  const long toLoss = device().kernelsToLoss;
  if (toLoss > 0 && kernels >= toLoss) return note(device().loss);
  return note(device().fault);
}

cudaError_t note(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) lastError = error;
  return error;
}

}  // namespace standin

using standin::device;
using standin::note;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define STANDIN_NAME(name, code, text) \
  case code:                           \
    return "cuda" #name;
    STANDIN_ERRORS(STANDIN_NAME)
#undef STANDIN_NAME
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define STANDIN_TEXT(name, code, text) \
  case code:                           \
    return text;
    STANDIN_ERRORS(STANDIN_TEXT)
#undef STANDIN_TEXT
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError() { return std::exchange(standin::lastError, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return standin::lastError; }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = device().driverVersion;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = device().fault == cudaSuccess ? 1 : 0;
  return note(device().fault);
}

namespace {
cudaError_t present(int ordinal) {
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  return note(ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
}  // namespace

cudaError_t cudaGetDevice(int* ordinal) {
  *ordinal = standin::currentOrdinal;
  return standin::state();
}
cudaError_t cudaSetDevice(int ordinal) {
  const cudaError_t error = present(ordinal);
  if (error == cudaSuccess) standin::currentOrdinal = ordinal;
  return error;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int ordinal) {
  if (const cudaError_t error = present(ordinal); error != cudaSuccess) return error;
  const standin::Device& is = device();
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "stand-in for sm_%d", is.architecture);
  properties->totalGlobalMem = is.memory;
  properties->sharedMemPerBlock = standin::kSharedUnasked;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
  properties->maxThreadsDim[2] = 64;
  properties->maxGridSize[0] = 0x7fffffff;
  properties->maxGridSize[1] = properties->maxGridSize[2] = 0xffff;
  properties->major = is.architecture / 10;
  properties->minor = is.architecture % 10;
  properties->multiProcessorCount = is.processors;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->l2CacheSize = 4 << 20;
  properties->sharedMemPerMultiprocessor = is.sharedPerProcessor;
  properties->sharedMemPerBlockOptin = is.sharedPerBlock;
  properties->reservedSharedMemPerBlock = is.sharedPerProcessor - is.sharedPerBlock;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int ordinal) {
  cudaDeviceProp is;
  if (const cudaError_t error = cudaGetDeviceProperties(&is, ordinal); error != cudaSuccess) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = is.maxThreadsPerBlock;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(is.sharedMemPerBlock);
      return cudaSuccess;
    case cudaDevAttrWarpSize:
      *value = is.warpSize;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = is.multiProcessorCount;
      return cudaSuccess;
    case cudaDevAttrL2CacheSize:
      *value = is.l2CacheSize;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = is.major;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = is.minor;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(is.sharedMemPerMultiprocessor);
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(is.sharedMemPerBlockOptin);
      return cudaSuccess;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      return cudaSuccess;
  }
  return note(cudaErrorInvalidValue);
}
