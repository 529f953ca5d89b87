// A device that only has memory, for the real native/cuda/device/device_memory.cpp, which the stand-in
// replaces.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <map>

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorIllegalAddress };

struct FakeDevice {
  std::size_t bytes = std::size_t{1} << 30, used = 0;
  bool lost = false;
  std::map<void*, std::size_t> blocks;
};
inline FakeDevice fakeDevice;

inline cudaError_t cudaSetDevice(int) { return fakeDevice.lost ? cudaErrorIllegalAddress : cudaSuccess; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "a fake's error"; }
inline cudaError_t cudaMalloc(void** data, std::size_t size) {
  if (fakeDevice.used + size > fakeDevice.bytes) return cudaErrorMemoryAllocation;
  *data = std::malloc(1);
  fakeDevice.blocks[*data] = size;
  fakeDevice.used += size;
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* data) {
  const auto block = fakeDevice.blocks.find(data);
  fakeDevice.used -= block->second;
  fakeDevice.blocks.erase(block);
  std::free(data);
  return cudaSuccess;
}
