// The running block, shared by the scheduler (fibres.cpp) and its memory (block_memory.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "standin/fibres.h"
#include "standin/watchers.h"

namespace standin {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kWarp = 32;

enum class State : unsigned char { ready, atBarrier, inCollective, ended };

struct Fibre {
  Context context;
  State state;
  const char* waitsIn;  // the name of the barrier or collective
  Place place;
};

// A meeting point of a warp's lanes, stored at the lowest of them. ThreadSanitizer's tag alternates from one
// meeting to the next. With a single tag, a slow lane would also acquire what a fast one released for the
// next meeting.
struct Meeting {
  std::uint32_t mask, arrived, generation;
  char tags[2];
};
struct Block {
  std::uint32_t generation;  // of the barrier
  char tags[2];
  Meeting meetings[kMaxThreads];  // of warp w: 32 w to 32 w + 31
};

// A rendezvous of the lanes in `mask` of a warp. The last lane calls `complete` for all of them, with the
// index of the warp's first thread.
enum class Order { none, memory };
using Complete = void (*)(unsigned first, unsigned mask, const Place& place);
void meet(const char* name, unsigned mask, Order order, Complete complete, const Place& place);

extern Fibre fibres[kMaxThreads];
extern unsigned currentThread;  // the running fibre
extern Context host;

// Stacks for a block's threads, and the fibres that ThreadSanitizer knows.
void beginBlockContexts(unsigned threads);
void prepareContext(Context& context, unsigned thread, void (*entry)());

// The shared memory and the copies of a block. Blocks are not ordered, so under ThreadSanitizer no two blocks
// of a grid may use the same memory. It is freed when the grid has ended.
void beginBlockMemory(std::size_t dynamicBytes, std::size_t limit);
void endBlockMemory();
void endGridMemory();
void endThreadCopies();  // for the current thread; an error if a copy is still held back

}  // namespace standin
