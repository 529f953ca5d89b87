// The part that the kernels with planted faults share: one launch, from `input` to `output`, and a check of
// the result. A line that the report of a planted fault must name is marked REPORTED.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

#include "device_memory.h"
#include "launch.h"
#include "tensor_core.cuh"

namespace packed_rnn::cuda {

// A kernel that the program knows by name. `run` returns whether the result was right, as an exit code.
struct Fault {
  using Run = int (*)(bool planted);
  Fault(const char* name, Run run) : name(name), run(run), next(first) { first = this; }
  const char* const name;
  const Run run;
  const Fault* const next;
  static inline const Fault* first = nullptr;
};

struct Arguments {
  const float* input;  // [blocks, threads]: 0, 1, 2, ...
  float* output;       // [blocks, threads]
};
struct Shape {
  unsigned blocks, threads;
  std::size_t sharedBytes = 0;
};

// The exit code: whether each output[i] is wanted(i).
template <class Wanted>
int run(void (*kernel)(Arguments), const Shape& shape, Wanted wanted) {
  const std::size_t count = std::size_t{shape.blocks} * shape.threads, bytes = count * sizeof(float);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; i++) values[i] = static_cast<float>(i);
  DeviceMemory memory(0, 0);
  cudaStream_t stream;
  PACKED_RNN_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  float* const input = static_cast<float*>(memory.allocate(bytes));
  float* const output = static_cast<float*>(memory.allocate(bytes));
  PACKED_RNN_CHECK(cudaMemcpyAsync(input, values.data(), bytes, cudaMemcpyHostToDevice, stream));
  launch(stream, kernel, dim3(shape.blocks), shape.threads, shape.sharedBytes, Arguments{input, output});
  PACKED_RNN_CHECK(cudaMemcpyAsync(values.data(), output, bytes, cudaMemcpyDeviceToHost, stream));
  PACKED_RNN_CHECK(cudaStreamSynchronize(stream));
  memory.deallocate(input, bytes);
  memory.deallocate(output, bytes);
  PACKED_RNN_CHECK(cudaStreamDestroy(stream));
  for (std::size_t i = 0; i < count; i++) {
    if (values[i] == wanted(i)) continue;
    std::fprintf(stderr, "output[%zu]: wanted %g, got %g\n", i, static_cast<double>(wanted(i)),
                 static_cast<double>(values[i]));
    return 1;
  }
  return 0;
}

}  // namespace packed_rnn::cuda

using namespace packed_rnn::cuda;
