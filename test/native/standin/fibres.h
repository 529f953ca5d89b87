// How the stand-in runs a kernel: one fibre per CUDA thread, resumed in a shuffled order, on one CPU thread.
// What is here is what the device functions of the two headers that kernels include are made of.
//
// The code behind it (fibres.cpp) is never instrumented: a sanitizer sees the kernel's accesses and nothing
// of the scheduler's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>

#include "standin/vector_types.h"

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace standin {

// Where in a kernel a thread stands: the default argument of everything that can go wrong there.
using Place = std::source_location;

// Tells what a kernel did wrong at `place`, by which thread, and where the others stand; ends the process.
[[noreturn]] void fail(const Place& place, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Runs body() in every thread of every block and returns.
struct Grid {
  dim3 blocks;
  unsigned threads;
  std::size_t sharedBytes;  // of the launch
  std::size_t sharedLimit;  // with the arrays of a block
};
void run(const Grid& grid, void (*body)(const void*), const void* argument);

// A barrier of the block; returns the sum of what its threads brought. One that some threads do not reach, or
// reach elsewhere, is an error.
int barrier(const char* name, int brought, const Place& place);

// The same among the lanes in `mask` of a warp. Of all these, syncWarp alone orders memory, as PTX has it.
unsigned laneIndex();
void syncWarp(unsigned mask, const Place& place);
std::uint32_t ballot(const char* name, unsigned mask, bool predicate, const Place& place);
// What lane `source` brought.
std::uint64_t shuffle(const char* name, unsigned mask, std::uint64_t brought, int source, const Place& place);
// d += a b of a whole warp; tensor_core.cuh tells who holds what.
struct Fragments {
  float d[4];
  std::uint32_t a[4], b[2];
};
void multiplyTf32(Fragments* own, const Place& place);
void multiplyBf16(Fragments* own, const Place& place);

// The block's array of that key: 16-byte aligned, of exactly so many bytes, all of them 0xff (NaN) at first.
void* sharedMemory(const void* key, std::size_t bytes, const Place& place);
// The one whose size the launch gives.
void* dynamicSharedMemory(const Place& place);
bool isShared(const void* data, std::size_t bytes);

// An asynchronous copy of the current thread, held back until it is waited for.
struct Copy {
  void* shared;
  const void* global;     // null: zeros arrive
  std::uint32_t seen[4];  // what `global` held when the copy was asked for
  std::uint32_t bytes;
  std::uint32_t group;
  Place place;
};
void holdCopy(const Copy& copy);
void closeCopyGroup();
// The next copy that must have arrived with at most `pending` groups under way; false where there is none.
bool takeCopy(std::uint32_t pending, Copy* copy);

}  // namespace standin
