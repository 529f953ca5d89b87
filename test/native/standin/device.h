// The properties of the simulated device, from the environment:
//   PACKED_RNN_STANDIN_ARCH        75, 80, 86, 89, 90, 100 or 120; default 90
//   PACKED_RNN_STANDIN_PROCESSORS  default 4: few, so that small tests share a block
//   PACKED_RNN_STANDIN_MEMORY      bytes; default 8 GB
//   PACKED_RNN_STANDIN_FAULT       no-driver, old-driver, no-device or no-image (no kernel for the
//                                  architecture): the missing part; or lost:N or lost:N:CODE:
//                                  the device is lost at its Nth kernel, with error 700 or CODE
//   PACKED_RNN_STANDIN_SEED        of the order in which threads and blocks run
#pragma once

#include <cstddef>

#include "standin/runtime_api.h"

namespace standin {

struct Device {
  int architecture;
  int processors;
  int driverVersion;
  cudaError_t fault;   // every call that needs a device returns this
  bool hasImage;       // has kernels for its architecture
  long kernelsToLoss;  // 0: it is never lost
  cudaError_t loss;    // every later call returns this
  std::size_t memory;
  std::size_t sharedPerBlock, sharedPerProcessor;
};
const Device& device();

}  // namespace standin
