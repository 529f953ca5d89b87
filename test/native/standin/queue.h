// What was asked of the device and not done yet. All streams are one queue: an order that CUDA allows too.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "standin/runtime_api.h"

namespace standin {

// More shared memory of a block than this has to be asked for, kernel by kernel.
constexpr std::size_t kSharedUnasked = 48 << 10;

// Remembers an error for cudaGetLastError, and returns it.
cudaError_t note(cudaError_t error);
// Success, or what every call returns that needs a device: there is none, or it is lost.
cudaError_t state();
void countKernel();

enum class Kind { kernel, copy, set, other };
struct Node {
  Kind kind;
  std::function<void()> work;
};
// What was asked of the streams that take part in a capture.
struct Capture {
  std::vector<Node> nodes;
  bool strict;  // calls that wait or allocate spoil it
  bool spoiled = false, ended = false;
};
// The one that `stream` takes part in, or null.
Capture* captureOf(cudaStream_t stream);
// One capture at a time is enough for us; null where there is none.
void setCapture(Capture* capture);
// What a call returns that may not be made during a strict capture, which it spoils; else state().
cudaError_t refuseInCapture();

// To be done after all that was asked before, or recorded where the stream is being captured.
cudaError_t submit(cudaStream_t stream, Kind kind, std::function<void()> work);
// The same outside of a capture; of any thread. Returns how much there is to do.
std::size_t enqueue(std::function<void()> work);
// The same, which cannot fail: once for each reserve().
void reserve();
void enqueueReserved(std::function<void()> work);
// Does the next thing that was asked; false where there is none.
bool doNext();
void doAll();

// Device and pinned memory: of exactly so many bytes, all of them 0xff at first, and never used again.
enum class Residence { nowhere, device, pinned };
void* take(Residence residence, std::size_t bytes);  // null: there is no more
// Of any thread; the bytes last until what was asked before has been done. False: not from take.
bool give(void* data);
// Where a range lies, if all of it is in one allocation.
Residence residence(const void* data, std::size_t bytes);
std::size_t deviceBytesTaken();
// Device memory is there for kernels and copies alone: where AddressSanitizer watches, the host's own
// accesses are errors.
void showDeviceMemory();
void hideDeviceMemory();
// And the other way: what a kernel's arguments point to on the host, while it runs.
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
