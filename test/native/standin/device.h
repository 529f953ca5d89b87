// What the stand-in claims to be, from the environment:
//   PACKED_RNN_STANDIN_ARCH        75, 80, 86, 89, 90, 100 or 120; 90 if it is not set
//   PACKED_RNN_STANDIN_PROCESSORS  4 if it is not set: few, so that small tests share a block
//   PACKED_RNN_STANDIN_MEMORY      bytes; 8 GB if it is not set
//   PACKED_RNN_STANDIN_FAULT       no-driver, old-driver, no-device or no-image (no kernel for the
//                                  architecture): what there is not; lost:N or
//                                  lost:N:CODE: the device is lost with its Nth kernel, by 700 or that error
//   PACKED_RNN_STANDIN_SEED        of the order in which threads and blocks run
#pragma once

#include <cstddef>

#include "standin/runtime_api.h"

namespace standin {

struct Device {
  int architecture;
  int processors;
  int driverVersion;
  cudaError_t fault;   // what every call returns that needs a device
  bool hasImage;       // of kernels for its architecture
  long kernelsToLoss;  // 0: it is never lost
  cudaError_t loss;    // what every call returns after it
  std::size_t memory;
  std::size_t sharedPerBlock, sharedPerProcessor;
};
const Device& device();

}  // namespace standin
