// The issued work of the device that is not done yet. All streams are one queue, which is an order that CUDA
// allows too.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "standin/runtime_api.h"

namespace standin {

// A kernel must request shared memory beyond this size.
constexpr std::size_t kSharedUnasked = 48 << 10;

// Remembers an error for cudaGetLastError, and returns it.
cudaError_t note(cudaError_t error);
// Success, or the error that every call returns if there is no device or it is lost.
cudaError_t state();
void countKernel();

enum class Kind { kernel, copy, set, other };
struct Node {
  Kind kind;
  std::function<void()> work;
};
// The work of the streams in a capture.
struct Capture {
  std::vector<Node> nodes;
  bool strict;  // calls that wait or allocate invalidate it
  bool spoiled = false, ended = false;
};
// The capture that `stream` is part of, or null.
Capture* captureOf(cudaStream_t stream);
// The stand-in supports one capture at a time; null: no capture.
void setCapture(Capture* capture);
// The result of a call that is not allowed during a strict capture and invalidates it; otherwise state().
cudaError_t refuseInCapture();

// Runs `work` after all earlier work, or records it if the stream is being captured.
cudaError_t submit(cudaStream_t stream, Kind kind, std::function<void()> work);
// The same without a capture, from any thread. Returns how much work is waiting.
std::size_t enqueue(std::function<void()> work);
// The same, but cannot fail: once for each reserve().
void reserve();
void enqueueReserved(std::function<void()> work);
// Runs the next work; returns false if there is none.
bool doNext();
void doAll();

// Device and pinned memory: exactly `bytes` bytes, initially all 0xff, and never reused.
enum class Residence { nowhere, device, pinned };
void* take(Residence residence, std::size_t bytes);  // null: out of memory
// From any thread. The bytes are freed when all earlier work is done. Returns false if they are not from
// take.
bool give(void* data);
// Where a range is, if all of it is in one allocation.
Residence residence(const void* data, std::size_t bytes);
std::size_t deviceBytesTaken();
// Only kernels and copies may access device memory. Under AddressSanitizer, the host's own accesses are
// errors.
void showDeviceMemory();
void hideDeviceMemory();
// The reverse: hides the host memory that a kernel's arguments point to while the kernel runs.
class HiddenFromKernel {
 public:
  explicit HiddenFromKernel(const HostPointers& pointers);
  ~HiddenFromKernel();
  HiddenFromKernel(const HiddenFromKernel&) = delete;
  HiddenFromKernel& operator=(const HiddenFromKernel&) = delete;

 private:
  struct Region {
    void* data;
    std::size_t bytes;
  };
  std::vector<Region> regions_;
};

}  // namespace standin
