// The CUDA backend: every op of native/ops, each family in its own file, launched on one stream.
#pragma once

#include <cuda_runtime.h>

#include <thread>
#include <vector>

#include "backend.h"
#include "device_memory.h"
#include "launch.h"
#include "staging.h"

namespace packed_rnn::cuda {

class StepGraphs;

// What kernels report to the host. It is in host memory, so the host can read it after any wait.
struct Fault {
  std::int32_t what;  // 0: nothing, 1: labels, 2: index; written last
  std::int32_t place, value, low, high;
  std::int64_t check;  // the number of the check that found it
};
struct Refusal {
  std::int32_t refused;  // as on the device
  std::int32_t tensor;   // the first that is not finite; -1 if an earlier op had a wrong index
  float total;
};
struct Findings {
  Fault fault;
  Refusal refusals[kMostDoubts];
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const DeviceOptions& options, const cudaDeviceProp& properties);
  ~CudaBackend() override;

  void* allocate(std::size_t bytes) override;
  void deallocate(void* data, std::size_t bytes) noexcept override;
  MemoryUse memory() const noexcept override;
  void upload(void* destination, const void* host, std::size_t bytes) override;
  void download(void* host, const void* source, std::size_t bytes) override;
  std::size_t downloads() const override { return staging_.downloads(); }
  bool arrived(bool wait) override;
  // Kernels are compiled with -ftz, so there is nothing to set.
  void attach() override { thread_ = std::this_thread::get_id(); }
  void synchronize() override;
  bool settle(const std::int32_t* refused, Error& reason) override;
  Mark* mark() override;
  double secondsBetween(const Mark& start, const Mark& end) override;

  using Backend::run;
  void run(int op, const void* arguments) override;
  std::int64_t recurrentSavedCount(const RecurrentShape&) const override;

  // For the ops: the stream, after making its device current on this thread.
  cudaStream_t stream() const;
  const cudaDeviceProp& properties() const { return properties_; }
  // Tensor cores for TF32 and bf16, and asynchronous copies, exist since sm_80.
  bool hasTensorCores() const { return properties_.major >= 8; }
  // The precision of products; float32 if there are no tensor cores for a lower one.
  Precision precision() const { return hasTensorCores() ? options_.precision : Precision::float32; }
  bool stepwise() const { return options_.stepwise; }
  StepGraphs& graphs() { return *graphs_; }
  // Throws ERR_OUT_OF_RANGE at the host's next wait, unless low <= value < high for each value that is not
  // `except`.
  void checkRange(int what, const std::int32_t* values, std::int64_t count, std::int64_t low,
                  std::int64_t high, std::int64_t except);
  // For an op that may fail on the device: [1] on the device, nonzero if it failed, and what it reports to
  // the host.
  std::int32_t* nextDoubt() const { return refused_ + doubts_ % kMostDoubts; }
  void takeDoubt() { doubts_++; }  // call this when the op can no longer throw
  Refusal* refusalOf(const std::int32_t* doubt) const;
  const Fault* fault() const { return &findings_->fault; }

 private:
  void throwUntoldFault();
  void throwFault(std::int64_t checks);  // of the first `checks` checks

  const DeviceOptions options_;
  const cudaDeviceProp properties_;
  DeviceMemory memory_;
  std::thread::id thread_;  // the device's
  cudaStream_t stream_ = nullptr;
  Staging staging_;
  StepGraphs* graphs_ = nullptr;
  Findings* findings_ = nullptr;
  std::int64_t checks_ = 0;          // launched checks
  std::int32_t* refused_ = nullptr;  // [kMostDoubts] on the device
  std::uint64_t doubts_ = 0;         // number of doubts so far
};

// Every op, each family in its own file: see ops/all.h.
template <Listed O>
[[gnu::visibility("hidden")]] void run(CudaBackend& backend, const O& op);

// Whether the library has code that runs on the current device.
cudaError_t findKernels();

// Device memory that lasts as long as an op. It may be freed while kernels still use it: its next owner
// launches after them.
template <class T>
class Scratch {
 public:
  Scratch(CudaBackend& owner, std::int64_t count)
      : owner_(owner),
        bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        data_(count == 0 ? nullptr : static_cast<T*>(owner.allocate(bytes_))) {}
  // Uploads a host vector, in stream order.
  Scratch(CudaBackend& owner, const std::vector<T>& host)
      : Scratch(owner, static_cast<std::int64_t>(host.size())) {
    if (data_ != nullptr) owner.upload(data_, host.data(), bytes_);
  }
  ~Scratch() {
    if (data_ != nullptr) owner_.deallocate(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  operator T*() { return data_; }

 private:
  CudaBackend& owner_;
  std::size_t bytes_;
  T* data_;
};

// A matrix in memory: element (r, c) is data[(rows ? rows[r] : r) · stride + c]; row -1 is zeros. If
// transposed, the operand's element (i, j) is the memory's (j, i). `next`: elements from one matrix of a
// batch to the next.
struct Operand {
  const float* data;
  std::int64_t stride;
  const std::int32_t* rows = nullptr;
  bool transposed = false;
  std::int64_t next = 0;
};

// c = a · b + bias, or += a · b, where `a` is [m, k] and b [k, n], for `batch` matrices, in the backend's
// precision. Each element is one sum in the order of k, which depends neither on m nor on n. If `a` is
// transposed (weight gradients, whose k is the rows of a batch), k is cut into slices. Their number depends
// only on the shape.
struct Gemm {
  std::int64_t m, n, k;
  Operand a, b;
  float* c;
  std::int64_t stride;  // of a row of c
  const float* bias = nullptr;
  bool accumulate = false;
  std::int64_t batch = 1;
  std::int64_t next = 0;               // as in Operand
  const std::int32_t* live = nullptr;  // [1] on the device, optional: the value of m, at most `m`
};
void gemm(CudaBackend& backend, const Gemm& problem);

// sums[c] = Σᵣ source[r · stride + c]
void sumColumns(CudaBackend& backend, const float* source, std::int64_t rows, std::int64_t columns,
                std::int64_t stride, float* sums);

}  // namespace packed_rnn::cuda
