// How the stand-in runs a kernel: one fibre per CUDA thread, resumed in a shuffled order, on one CPU thread.
// The device functions of the two headers that kernels include are built from these functions.
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

// The position of a thread in a kernel: the default argument of every function that can report an error
// there.
using Place = std::source_location;

// Reports what a kernel did wrong at `place`, in which thread, and where the others are. Ends the process.
[[noreturn]] void fail(const Place& place, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Runs body() in every thread of every block and returns.
struct Grid {
  dim3 blocks;
  unsigned threads;
  std::size_t sharedBytes;  // of the launch
  std::size_t sharedLimit;  // with the arrays of a block
};
void run(const Grid& grid, void (*body)(const void*), const void* argument);

// A barrier of the block. Returns the sum of its threads' values. It is an error if some threads do not reach
// it or are at another barrier.
int barrier(const char* name, int brought, const Place& place);

// The same for the lanes in `mask` of a warp. Of these functions only syncWarp orders memory, as in PTX.
unsigned laneIndex();
void syncWarp(unsigned mask, const Place& place);
std::uint32_t ballot(const char* name, unsigned mask, bool predicate, const Place& place);
// The value of lane `source`.
std::uint64_t shuffle(const char* name, unsigned mask, std::uint64_t brought, int source, const Place& place);
// d += a b of a whole warp; tensor_core.cuh documents which lane holds what.
struct Fragments {
  float d[4];
  std::uint32_t a[4], b[2];
};
void multiplyTf32(Fragments* own, const Place& place);
void multiplyBf16(Fragments* own, const Place& place);

// The block's array with that key: 16-byte aligned, exactly `bytes` bytes, initially all 0xff (NaN).
void* sharedMemory(const void* key, std::size_t bytes, const Place& place);
// The array whose size is set at launch.
void* dynamicSharedMemory(const Place& place);
bool isShared(const void* data, std::size_t bytes);

// An asynchronous copy of the current thread, held back until the thread waits for it.
struct Copy {
  void* shared;
  const void* global;     // null: zeros are written
  std::uint32_t seen[4];  // contents of `global` when the copy was issued
  std::uint32_t bytes;
  std::uint32_t group;
  Place place;
};
void holdCopy(const Copy& copy);
void closeCopyGroup();
// Returns the next copy that must arrive if at most `pending` groups may be in progress. Returns false if
// there is none.
bool takeCopy(std::uint32_t pending, Copy* copy);

}  // namespace standin
