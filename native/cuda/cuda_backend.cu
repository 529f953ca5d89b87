#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "cuda_backend.h"
#include "reduce.cuh"
#include "stepwise.h"

namespace packed_rnn::cuda {

void check(cudaError_t status, const char* statement, const char* file, int line) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears an error that is not sticky
  Error failure{"ERR_OP_FAILED", {}};
  switch (status) {
    case cudaErrorMemoryAllocation:
      failure.code = "ERR_OUT_OF_MEMORY";
      break;
    // Sticky errors: every later call of the process on this device returns them too.
    case cudaErrorIllegalAddress:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorUnknown:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorECCUncorrectable:
    case cudaErrorHardwareStackError:
      failure.code = "ERR_DEVICE_LOST";
      break;
    default:
      break;
  }
  const char* name = file;
  for (const char* p = file; *p != 0; p++) {
    if (*p == '/') name = p + 1;
  }
  std::snprintf(failure.message, sizeof failure.message, "%.120s: %s (%s:%d)", statement,
                cudaGetErrorString(status), name, line);
  throw failure;
}

namespace {

// Runs before the first member that allocates on the device.
const DeviceOptions& makeCurrent(const DeviceOptions& options) {
  PACKED_RNN_CHECK(cudaSetDevice(options.ordinal));
  return options;
}

struct CheckRange {
  Fault* fault;
  std::int32_t what;
  const std::int32_t* values;
  std::int64_t count;
  std::int32_t low, high, except;
  std::int64_t check;
};

// One block, so that the first fault of all is reported.
// budget: 32 registers, 1 KB shared
__global__ void __launch_bounds__(1024) checkRangeKernel(const CheckRange p) {
  std::int64_t first = p.count;
  for (std::int64_t i = threadIdx.x; i < p.count; i += blockDim.x) {
    const std::int32_t value = p.values[i];
    if ((value >= p.low && value < p.high) || value == p.except) continue;
    first = i;
    break;
  }
  first = blockReduce(first, [](std::int64_t a, std::int64_t b) { return a < b ? a : b; });
  if (threadIdx.x == 0 && first < p.count && p.fault->what == 0) {
    *p.fault = {0, static_cast<std::int32_t>(first), p.values[first], p.low, p.high, p.check};
    __threadfence_system();
    *static_cast<volatile std::int32_t*>(&p.fault->what) = p.what;
  }
}

}  // namespace

cudaError_t findKernels() {
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, checkRangeKernel);
}

CudaBackend::CudaBackend(const DeviceOptions& options, const cudaDeviceProp& properties)
    : options_(makeCurrent(options)), properties_(properties), memory_(options.ordinal, options.memoryLimit) {
  PACKED_RNN_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  PACKED_RNN_CHECK(cudaMallocHost(reinterpret_cast<void**>(&findings_), sizeof(Findings)));
  *findings_ = {};
  PACKED_RNN_CHECK(cudaMalloc(reinterpret_cast<void**>(&refused_), kMostDoubts * sizeof(std::int32_t)));
  graphs_ = new StepGraphs(*this);
}

CudaBackend::~CudaBackend() {
  cudaSetDevice(options_.ordinal);
  cudaStreamSynchronize(stream_);
  delete graphs_;
  cudaFree(refused_);
  cudaFreeHost(findings_);
  cudaStreamDestroy(stream_);
}

namespace {
template <class... O>
struct Table {
  Runner<CudaBackend> at[sizeof...(O)];
};
template <class... O>
constexpr Table<O...> tableOf(List<O...>) {
  return {{[](CudaBackend& backend, const void* op) { cuda::run(backend, *static_cast<const O*>(op)); }...}};
}
constexpr auto kTable = tableOf(Ops{});
}  // namespace

void CudaBackend::run(int op, const void* arguments) { kTable.at[op](*this, arguments); }

void* CudaBackend::allocate(std::size_t bytes) {
  try {
    return memory_.allocate(bytes);
  } catch (const Error& error) {
    // Only the device's thread uses the graphs.
    if (std::strcmp(error.code, "ERR_OUT_OF_MEMORY") != 0 || std::this_thread::get_id() != thread_ ||
        !graphs_->release())
      throw;
  }
  return memory_.allocate(bytes);
}
void CudaBackend::deallocate(void* data, std::size_t bytes) noexcept { memory_.deallocate(data, bytes); }
MemoryUse CudaBackend::memory() const noexcept { return memory_.use(); }

cudaStream_t CudaBackend::stream() const {
  PACKED_RNN_CHECK(cudaSetDevice(options_.ordinal));
  return stream_;
}

void CudaBackend::upload(void* destination, const void* host, std::size_t bytes) {
  staging_.upload(stream(), destination, host, bytes);
}

void CudaBackend::download(void* host, const void* source, std::size_t bytes) {
  if (!staging_.download(stream(), host, source, bytes, checks_)) throwUntoldFault();
}

bool CudaBackend::arrived(bool wait) {
  const std::int64_t checks = staging_.first().checks;
  if (!staging_.arrived(wait)) return false;
  throwFault(checks);
  return true;
}

void CudaBackend::synchronize() {
  PACKED_RNN_CHECK(cudaStreamSynchronize(stream()));
  throwUntoldFault();
}

Refusal* CudaBackend::refusalOf(const std::int32_t* doubt) const {
  return doubt == nullptr ? nullptr : &findings_->refusals[doubt - refused_];
}

bool CudaBackend::settle(const std::int32_t* refused, Error& reason) {
  const Refusal found = *refusalOf(refused);
  if (found.refused == 0) return false;
  if (found.tensor < 0) {
    reason = {"ERR_OUT_OF_RANGE", "an index or a label of an earlier op is outside of its range"};
    return true;
  }
  reason.code = "ERR_NON_FINITE";
  std::snprintf(reason.message, sizeof reason.message,
                "the norm of the gradients: wanted a finite number, got %g with values[%d]",
                static_cast<double>(found.total), found.tensor);
  return true;
}

namespace {
struct Event final : Mark {
  Event() { PACKED_RNN_CHECK(cudaEventCreate(&event)); }
  ~Event() override { cudaEventDestroy(event); }
  cudaEvent_t event;
};
}  // namespace

Mark* CudaBackend::mark() {
  auto made = std::make_unique<Event>();
  PACKED_RNN_CHECK(cudaEventRecord(made->event, stream()));
  return made.release();
}

double CudaBackend::secondsBetween(const Mark& start, const Mark& end) {
  const cudaEvent_t from = static_cast<const Event&>(start).event, to = static_cast<const Event&>(end).event;
  for (const cudaEvent_t event : {from, to}) PACKED_RNN_CHECK(cudaEventSynchronize(event));
  float milliseconds = 0;
  PACKED_RNN_CHECK(cudaEventElapsedTime(&milliseconds, from, to));
  return static_cast<double>(milliseconds) / 1000;
}

void CudaBackend::checkRange(int what, const std::int32_t* values, std::int64_t count, std::int64_t low,
                             std::int64_t high, std::int64_t except) {
  if (count == 0) return;
  checks_++;
  launch(stream(), checkRangeKernel, dim3(1), 1024, 0,
         CheckRange{&findings_->fault, what, values, count, static_cast<std::int32_t>(low),
                    static_cast<std::int32_t>(high), static_cast<std::int32_t>(except), checks_});
}

// Skips a fault that a download in progress will report.
void CudaBackend::throwUntoldFault() {
  if (staging_.downloads() > 0 && findings_->fault.check <= staging_.last().checks) return;
  throwFault(checks_);
}

void CudaBackend::throwFault(std::int64_t checks) {
  // Kernels of later ops may be writing it now.
  const std::atomic_ref what(findings_->fault.what);
  if (what.load(std::memory_order_acquire) == 0 || findings_->fault.check > checks) return;
  const Fault fault = findings_->fault;
  what.store(0, std::memory_order_release);
  Error failure{"ERR_OUT_OF_RANGE", {}};
  std::snprintf(failure.message, sizeof failure.message,
                "%s[%d] of an earlier op: wanted an integer from %d to %d, got %d",
                fault.what == 1 ? "labels" : "index", fault.place, fault.low, fault.high - 1, fault.value);
  throw failure;
}

}  // namespace packed_rnn::cuda
