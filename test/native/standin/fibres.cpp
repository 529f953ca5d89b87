// The scheduler: which fibre runs next, barriers, warp collectives, and the reports of errors.
//
// No standard containers here: an instrumented copy of their inline functions could be the one that is
// linked, and ThreadSanitizer would take the scheduler's accesses for the kernel's.
#include "standin/fibres.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "standin/block.h"
#include "standin/denormals.h"
#include "standin/switch.h"

namespace standin {

Fibre fibres[kMaxThreads];
unsigned currentThread;
Context host;

namespace {

unsigned readyThreads[kMaxThreads];
unsigned readyCount, liveCount, threadCount;
struct {
  unsigned arrived;
  int sum, result;
} atBarrier;
Block* block;
Context* running;  // the current stack,
Context* left;     // and the previous one
char startTag, endTag;
void (*gridBody)(const void*);
const void* gridArgument;
std::uint64_t randomState;

std::uint64_t seed() {
  static const char* const text = std::getenv("PACKED_RNN_STANDIN_SEED");
  static std::uint64_t state = text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
  return state += 0x9e3779b97f4a7c15u;
}
std::uint64_t randomBelow(std::uint64_t bound) {
  randomState ^= randomState << 13;
  randomState ^= randomState >> 7;
  randomState ^= randomState << 17;
  return (randomState & 0x7fffffffu) * bound >> 31;  // of at most 2^31 threads or blocks
}

// --- Reports

bool sameText(const char* a, const char* b) { return a == b || std::strcmp(a, b) == 0; }
bool samePlace(const Place& a, const Place& b) {
  return a.line() == b.line() && a.column() == b.column() && sameText(a.file_name(), b.file_name());
}
bool standTogether(const Fibre& a, const Fibre& b) {
  if (a.state != b.state) return false;
  const bool waits = a.state == State::atBarrier || a.state == State::inCollective;
  return !waits || (sameText(a.waitsIn, b.waitsIn) && samePlace(a.place, b.place));
}

void tellThreads(const Fibre& like) {
  unsigned ranges = 0;
  for (unsigned i = 0; i < threadCount;) {
    unsigned end = i;
    while (end < threadCount && standTogether(fibres[end], like)) end++;
    if (end > i) {
      if (++ranges > 8) {
        std::fputs(", ...", stderr);
        return;
      }
      std::fprintf(stderr, ranges > 1 ? ", %u" : "%u", i);
      if (end > i + 1) std::fprintf(stderr, "-%u", end - 1);
    }
    i = end > i ? end : i + 1;
  }
}

// One line for each place where threads are.
void tellWhereThreadsStand() {
  unsigned groups = 0;
  for (unsigned i = 0; i < threadCount; i++) {
    bool told = false;
    for (unsigned j = 0; j < i && !told; j++) told = standTogether(fibres[j], fibres[i]);
    if (told) continue;
    if (++groups > 8) {
      std::fputs("  ...\n", stderr);
      return;
    }
    const Fibre& fibre = fibres[i];
    if (fibre.state == State::ended) {
      std::fputs("  ended: threads ", stderr);
    } else if (fibre.state == State::ready) {
      std::fputs("  on their way: threads ", stderr);
    } else {
      std::fprintf(stderr, "  %s:%u: in %s: threads ", fibre.place.file_name(),
                   static_cast<unsigned>(fibre.place.line()), fibre.waitsIn);
    }
    tellThreads(fibre);
    std::fputc('\n', stderr);
  }
}

[[noreturn]] void failBecauseNobodyCanGoOn() {
  const Fibre* waits = &fibres[0];
  while (waits->state == State::ended) waits++;
  currentThread = static_cast<unsigned>(waits - fibres);
  if (atBarrier.arrived == liveCount)
    fail(waits->place, liveCount < threadCount ? "threads wait at a barrier that others ended without"
                                               : "divergent barrier: threads wait at different ones");
  fail(waits->place, "threads wait for others that never come");
}

// --- Scheduling

void enter(Context& to, bool ends = false) {
  if (&to == running) return;
  Context& from = *running;
  left = &from;
  running = &to;
  leaveStack(from, to, ends);
  standin_switch(&from.stackPointer, to.stackPointer);
  enterStack(*running, *left);
}

void makeReady(unsigned thread) {
  fibres[thread].state = State::ready;
  readyThreads[readyCount++] = thread;
}

void openBarrier() {
  for (unsigned i = 1; i < threadCount; i++)
    if (!standTogether(fibres[i], fibres[0])) failBecauseNobodyCanGoOn();
  atBarrier.result = atBarrier.sum;
  atBarrier.sum = 0;
  atBarrier.arrived = 0;
  block->generation++;
  for (unsigned i = 0; i < threadCount; i++) makeReady(i);
}

// Called by a fibre that cannot continue; returns when it can.
void passOn(bool ends = false) {
  if (readyCount == 0) {
    if (liveCount == 0) return enter(host, ends);
    if (atBarrier.arrived < threadCount) failBecauseNobodyCanGoOn();
    openBarrier();
  }
  const std::uint64_t pick = randomBelow(readyCount);
  currentThread = readyThreads[pick];
  readyThreads[pick] = readyThreads[--readyCount];
  threadIdx.x = currentThread;
  enter(fibres[currentThread].context, ends);
}

void waitIn(State state, const char* name, const Place& place) {
  Fibre& fibre = fibres[currentThread];
  fibre.state = state;
  fibre.waitsIn = name;
  fibre.place = place;
}

void runFibre() {
  enterStack(*running, *left);
  acquireTag(&startTag);
  gridBody(gridArgument);
  endThreadCopies();
  releaseTag(&endTag);
  fibres[currentThread].state = State::ended;
  liveCount--;
  passOn(true);
  std::abort();  // no fibre may resume one that ended
}

void runBlock(std::uint64_t index, const Grid& grid) {
  blockIdx = {static_cast<unsigned>(index % grid.blocks.x),
              static_cast<unsigned>(index / grid.blocks.x % grid.blocks.y),
              static_cast<unsigned>(index / grid.blocks.x / grid.blocks.y)};
  beginBlockMemory(grid.sharedBytes, grid.sharedLimit);
  beginBlockContexts(threadCount);
  readyCount = 0;
  liveCount = threadCount;
  atBarrier = {};
  for (unsigned i = 0; i < threadCount; i++) {
    prepareContext(fibres[i].context, i, runFibre);
    makeReady(i);
  }
  releaseTag(&startTag);
  passOn();
  endBlockMemory();
}

}  // namespace

void fail(const Place& place, const char* format, ...) {
  std::fprintf(stderr, "%s:%u: error: ", place.file_name(), static_cast<unsigned>(place.line()));
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "\n  in %s, thread %u of %u, block (%u, %u, %u) of (%u, %u, %u)\n",
               place.function_name(), currentThread, threadCount, blockIdx.x, blockIdx.y, blockIdx.z,
               gridDim.x, gridDim.y, gridDim.z);
  tellWhereThreadsStand();
  std::_Exit(EXIT_FAILURE);
}

void run(const Grid& grid, void (*body)(const void*), const void* argument) {
  const FlushedDenormals flushed;
  gridBody = body;
  gridArgument = argument;
  gridDim = grid.blocks;
  blockDim = dim3(grid.threads);
  threadCount = grid.threads;
  randomState = seed() | 1;
  running = &host;
  host.watched = currentFibre();
  const std::uint64_t blocks = std::uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
  // Each watched block has its own tags. They run one after the other, but are unordered for the sanitizer,
  // because none acquires what another released.
  const std::uint64_t copies = kThreadWatched ? blocks : 1;
  Block* const all = static_cast<Block*>(std::calloc(copies, sizeof(Block)));
  if (all == nullptr) std::abort();
  // Any order that visits all: `step` and their number are coprime.
  std::uint64_t index = randomBelow(blocks), step = 1 + randomBelow(blocks);
  while (std::gcd(step, blocks) != 1) step++;
  for (std::uint64_t i = 0; i < blocks; i++) {
    block = all + i % copies;
    runBlock(index, grid);
    index = (index + step) % blocks;
  }
  acquireTag(&endTag);
  endGridMemory();
  std::free(all);
}

int barrier(const char* name, int brought, const Place& place) {
  char* const tag = &block->tags[block->generation % 2];
  releaseTag(tag);
  atBarrier.arrived++;
  atBarrier.sum += brought;
  waitIn(State::atBarrier, name, place);
  passOn();
  acquireTag(tag);
  return atBarrier.result;
}

void meet(const char* name, unsigned mask, Order order, Complete complete, const Place& place) {
  const unsigned self = currentThread % kWarp;
  const unsigned first = currentThread - self;
  if (threadCount - first < kWarp) mask &= (1u << (threadCount - first)) - 1;  // lanes that the block lacks
  if ((mask >> self & 1) == 0)
    fail(place, "%s: the mask 0x%08x lacks the lane that asks, %u", name, mask, self);
  Meeting& meeting = block->meetings[first + static_cast<unsigned>(__builtin_ctz(mask))];
  waitIn(State::inCollective, name, place);
  if (meeting.arrived == 0) {
    meeting.mask = mask;
  } else {
    const Fibre& other = fibres[first + static_cast<unsigned>(__builtin_ctz(meeting.arrived))];
    if (meeting.mask != mask || !standTogether(other, fibres[currentThread]))
      fail(place, "%s: lanes of a warp meet in different places, or with different masks", name);
  }
  char* const tag = order == Order::memory ? &meeting.tags[meeting.generation % 2] : nullptr;
  if (tag != nullptr) releaseTag(tag);
  meeting.arrived |= 1u << self;
  if (meeting.arrived == mask) {
    meeting.arrived = 0;
    meeting.generation++;
    if (complete != nullptr) complete(first, mask, place);
    for (unsigned rest = mask; rest != 0; rest &= rest - 1)
      makeReady(first + static_cast<unsigned>(__builtin_ctz(rest)));
  }
  passOn();
  if (tag != nullptr) acquireTag(tag);
}

}  // namespace standin
