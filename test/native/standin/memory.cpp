// Memory of the device and of the host, and copies between them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "standin/device.h"
#include "standin/queue.h"
#include "standin/trace.h"
#include "standin/watchers.h"

namespace standin {

namespace {

struct Allocation {
  std::size_t bytes;
  Residence residence;
};
struct Allocations {
  std::mutex mutex;
  std::map<const char*, Allocation> all;
  std::size_t deviceBytes = 0;
  int shown = 0;  // how many uses of device memory are active
};
Allocations& allocations() {
  static Allocations& allocations = *new Allocations;
  return allocations;
}

}  // namespace

void* take(Residence residence, std::size_t bytes) {
  Allocations& held = allocations();
  reserve();  // for the later release, which may not fail
  const std::lock_guard lock(held.mutex);
  if (residence == Residence::device && held.deviceBytes + bytes > device().memory) return nullptr;
  void* data = nullptr;
  // Not rounded up, so that AddressSanitizer sees the first byte past the end.
  if (posix_memalign(&data, 256, bytes) != 0 || data == nullptr) return nullptr;
  std::memset(data, 0xff, bytes);
  held.all[static_cast<char*>(data)] = {bytes, residence};
  if (residence == Residence::device) {
    held.deviceBytes += bytes;
    if (held.shown == 0) hideBytes(data, bytes);
  }
  return data;
}

bool give(void* data) {
  Allocations& held = allocations();
  {
    const std::lock_guard lock(held.mutex);
    const auto found = held.all.find(static_cast<char*>(data));
    if (found == held.all.end()) return false;
    if (found->second.residence == Residence::device) held.deviceBytes -= found->second.bytes;
    showBytes(data, found->second.bytes);  // for work that still waits
    held.all.erase(found);
  }
  enqueueReserved([data] { std::free(data); });  // even if the device is lost
  return true;
}

Residence residence(const void* data, std::size_t bytes) {
  Allocations& held = allocations();
  const char* const begin = static_cast<const char*>(data);
  const std::lock_guard lock(held.mutex);
  const auto next = held.all.upper_bound(begin);
  if (next == held.all.begin()) return Residence::nowhere;
  const auto& [start, allocation] = *std::prev(next);
  return begin + bytes <= start + allocation.bytes ? allocation.residence : Residence::nowhere;
}

std::size_t deviceBytesTaken() {
  const std::lock_guard lock(allocations().mutex);
  return allocations().deviceBytes;
}

void showDeviceMemory() {
  Allocations& held = allocations();
  const std::lock_guard lock(held.mutex);
  if (held.shown++ > 0 || !kAddressWatched) return;
  for (const auto& [data, allocation] : held.all)
    if (allocation.residence == Residence::device) showBytes(data, allocation.bytes);
}
void hideDeviceMemory() {
  Allocations& held = allocations();
  const std::lock_guard lock(held.mutex);
  if (--held.shown > 0 || !kAddressWatched) return;
  for (const auto& [data, allocation] : held.all)
    if (allocation.residence == Residence::device) hideBytes(data, allocation.bytes);
}

// Pointers into user space that are not null and not device memory. Two small adjacent numbers may look like
// one. That does no harm unless an object is there.
void addHostPointers([[maybe_unused]] HostPointers& pointers, [[maybe_unused]] const void* argument,
                     [[maybe_unused]] std::size_t bytes) {
#if defined(STANDIN_ADDRESS)
  for (std::size_t at = 0; at + sizeof(std::uintptr_t) <= bytes; at += sizeof(std::uintptr_t)) {
    std::uintptr_t word;
    std::memcpy(&word, static_cast<const char*>(argument) + at, sizeof word);
    const void* const pointer = reinterpret_cast<const void*>(word);
    if (word >> 16 != 0 && word >> 47 == 0 && residence(pointer, 0) == Residence::nowhere)
      pointers.push_back(pointer);
  }
#endif
}

HiddenFromKernel::HiddenFromKernel([[maybe_unused]] const HostPointers& pointers) {
#if defined(STANDIN_ADDRESS)
  for (const void* const pointer : pointers) {
    char name[1];
    Region region = {nullptr, 0};
    const char* const kind =
        __asan_locate_address(const_cast<void*>(pointer), name, sizeof name, &region.data, &region.bytes);
    const bool found =
        std::strcmp(kind, "heap") == 0 || std::strcmp(kind, "stack") == 0 || std::strcmp(kind, "global") == 0;
    // Memory that was freed meanwhile is hidden already.
    if (!found || region.data == nullptr || __asan_address_is_poisoned(region.data)) continue;
    hideBytes(region.data, region.bytes);
    regions_.push_back(region);
  }
#endif
}
HiddenFromKernel::~HiddenFromKernel() {
  for (const Region& region : regions_) showBytes(region.data, region.bytes);
}

}  // namespace standin

using standin::Kind;
using standin::note;
using standin::Residence;

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  *data = bytes == 0 ? nullptr : standin::take(Residence::device, bytes);
  return note(bytes != 0 && *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaFree(void* data) {
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  if (data == nullptr) return cudaSuccess;
  if (!standin::give(data)) return note(cudaErrorInvalidValue);
  standin::doAll();
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream) {
  if (standin::captureOf(stream) != nullptr) return note(cudaErrorStreamCaptureUnsupported);
  return cudaMalloc(data, bytes);
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  if (standin::captureOf(stream) != nullptr) return note(cudaErrorStreamCaptureUnsupported);
  return note(data == nullptr || standin::give(data) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) {
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  *data = bytes == 0 ? nullptr : standin::take(Residence::pinned, bytes);
  return note(bytes != 0 && *data == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaMallocHost(void** data, std::size_t bytes, unsigned flags) {
  return cudaHostAlloc(data, bytes, flags);
}
cudaError_t cudaFreeHost(void* data) { return cudaFree(data); }
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = standin::device().memory;
  *free = *total - standin::deviceBytesTaken();
  return note(standin::device().fault);
}

cudaError_t cudaMemcpyAsync(void* destination, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const Residence from = standin::residence(source, bytes), to = standin::residence(destination, bytes);
  const bool fromDevice = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool toDevice = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault &&
      (fromDevice != (from == Residence::device) || toDevice != (to == Residence::device)))
    return note(cudaErrorInvalidValue);
  const bool recorded = standin::captureOf(stream) != nullptr;
  if (!recorded && from != to) standin::trace(to == Residence::device ? "upload" : "download", bytes);
  if (from == Residence::nowhere && !recorded) {
    // Pageable memory is read before the call returns ...
    const auto* const begin = static_cast<const unsigned char*>(source);
    auto staged = std::make_shared<std::vector<unsigned char>>(begin, begin + bytes);
    return standin::submit(stream, Kind::copy, [destination, staged = std::move(staged)] {
      std::memcpy(destination, staged->data(), staged->size());
    });
  }
  const cudaError_t error = standin::submit(
      stream, Kind::copy, [destination, source, bytes] { std::memcpy(destination, source, bytes); });
  // ... and written, too.
  if (error == cudaSuccess && to == Residence::nowhere && !recorded) standin::doAll();
  return error;
}
cudaError_t cudaMemcpy(void* destination, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  const cudaError_t error = cudaMemcpyAsync(destination, source, bytes, kind, nullptr);
  standin::doAll();
  return error;
}
cudaError_t cudaMemsetAsync(void* destination, int value, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  if (standin::residence(destination, bytes) != Residence::device) return note(cudaErrorInvalidValue);
  return standin::submit(stream, Kind::set,
                         [destination, value, bytes] { std::memset(destination, value, bytes); });
}
cudaError_t cudaMemset(void* destination, int value, std::size_t bytes) {
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  return cudaMemsetAsync(destination, value, bytes, nullptr);
}
