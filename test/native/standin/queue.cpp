// The queue itself, and the work that kernels put into it.
#include "standin/queue.h"

#include <list>
#include <map>
#include <mutex>

#include "standin/device.h"
#include "standin/fibres.h"
#include "standin/trace.h"

namespace standin {

namespace {

// Never destroyed: a device's thread may outlive the end of main.
struct Queue {
  std::mutex mutex;    // of `waiting`
  std::mutex running;  // one piece of work at a time
  std::list<std::function<void()>> waiting, reserved;
};
Queue& queue() {
  static Queue& queue = *new Queue;
  return queue;
}
constexpr std::size_t kMostWaiting = 1024;

std::mutex captureMutex;
Capture* underCapture;

std::mutex kernelMutex;
// The limits of a launch, and of its blocks with their own arrays.
struct SharedLimits {
  std::size_t dynamic = kSharedUnasked, total = kSharedUnasked;
};
SharedLimits& sharedLimits(const void* kernel) {
  static auto& kernels = *new std::map<const void*, SharedLimits>;
  return kernels[kernel];
}

}  // namespace

bool doNext() {
  std::function<void()> work;
  const std::lock_guard running(queue().running);
  {
    const std::lock_guard lock(queue().mutex);
    if (queue().waiting.empty()) return false;
    work = std::move(queue().waiting.front());
    queue().waiting.pop_front();
  }
  showDeviceMemory();
  work();
  hideDeviceMemory();
  return true;
}

void doAll() {
  showDeviceMemory();
  while (doNext()) {
  }
  hideDeviceMemory();
}

void reserve() {
  std::list<std::function<void()>> one(1);
  const std::lock_guard lock(queue().mutex);
  queue().reserved.splice(queue().reserved.end(), one);
}
void enqueueReserved(std::function<void()> work) {
  const std::lock_guard lock(queue().mutex);
  queue().reserved.front() = std::move(work);
  queue().waiting.splice(queue().waiting.end(), queue().reserved, queue().reserved.begin());
}
std::size_t enqueue(std::function<void()> work) {
  const std::lock_guard lock(queue().mutex);
  queue().waiting.push_back(std::move(work));
  return queue().waiting.size();
}

cudaError_t submit(cudaStream_t stream, Kind kind, std::function<void()> work) {
  if (const cudaError_t error = state(); error != cudaSuccess) return error;
  if (Capture* const capture = captureOf(stream); capture != nullptr) {
    if (capture->spoiled) return note(cudaErrorStreamCaptureInvalidated);
    capture->nodes.push_back({kind, std::move(work)});
    return cudaSuccess;
  }
  if (enqueue(std::move(work)) > kMostWaiting) doAll();
  return cudaSuccess;
}

void setCapture(Capture* capture) {
  const std::lock_guard lock(captureMutex);
  underCapture = capture;
}

cudaError_t refuseInCapture() {
  const std::lock_guard lock(captureMutex);
  if (underCapture == nullptr || !underCapture->strict) return state();
  underCapture->spoiled = true;
  return note(cudaErrorStreamCaptureUnsupported);
}

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, HostPointers pointers,
                   std::function<void()> thread) {
  const dim3 grid = config.gridDim, block = config.blockDim;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffff || grid.y > 0xffff ||
      grid.z > 0xffff || block.x == 0 || block.x > 1024 || block.y != 1 || block.z != 1)
    return note(cudaErrorInvalidConfiguration);
  if (config.numAttrs != 0) return note(cudaErrorNotSupported);
  SharedLimits limits;
  {
    const std::lock_guard lock(kernelMutex);
    limits = sharedLimits(kernel);
  }
  if (config.dynamicSmemBytes > limits.dynamic) return note(cudaErrorInvalidValue);
  const Grid extent = {grid, block.x, config.dynamicSmemBytes, limits.total};
  if (captureOf(config.stream) == nullptr) trace("launch");
  const auto callThread = [](const void* thread) { (*static_cast<const std::function<void()>*>(thread))(); };
  return submit(config.stream, Kind::kernel, [=, pointers = std::move(pointers), thread = std::move(thread)] {
    const HiddenFromKernel hidden(pointers);
    run(extent, callThread, &thread);
    countKernel();
  });
}

}  // namespace standin

using standin::note;

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || static_cast<std::size_t>(value) > standin::device().sharedPerBlock)
    return note(cudaErrorInvalidValue);
  const std::lock_guard lock(standin::kernelMutex);
  standin::sharedLimits(kernel) = {static_cast<std::size_t>(value), standin::device().sharedPerBlock};
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  const std::lock_guard lock(standin::kernelMutex);
  *attributes = {};
  if (!standin::device().hasImage) return note(cudaErrorNoKernelImageForDevice);
  attributes->maxThreadsPerBlock = 1024;
  attributes->ptxVersion = attributes->binaryVersion = standin::device().architecture;
  attributes->maxDynamicSharedSizeBytes = static_cast<int>(standin::sharedLimits(kernel).dynamic);
  return cudaSuccess;
}
