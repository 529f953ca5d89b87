// The memory of a block and its threads: stacks, shared arrays, copies in progress.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "standin/block.h"
#include "standin/device.h"
#include "standin/queue.h"
#include "standin/switch.h"

namespace standin {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = 128 << 10;

[[noreturn]] void outOfMemory() { fail(Place::current(), "the stand-in is out of memory"); }

template <class T>
void grow(T*& items, std::size_t& capacity, std::size_t count) {
  if (count <= capacity) return;
  capacity = count > 2 * capacity ? count : 2 * capacity;
  items = static_cast<T*>(std::realloc(items, capacity * sizeof(T)));
  if (items == nullptr) outOfMemory();
}

// --- Stacks

struct Slot {
  char* stack;
  void* watched;
};
Slot* slots;
std::size_t slotCount, slotCapacity;

// Each stack has an inaccessible page below it, so an overflow crashes instead of overwriting another stack.
char* makeStack() {
  void* const memory =
      mmap(nullptr, kPage + kStackBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) outOfMemory();
  char* const stack = static_cast<char*>(memory) + kPage;
  if (mprotect(stack, kStackBytes, PROT_READ | PROT_WRITE) != 0) outOfMemory();
  return stack;
}

// ThreadSanitizer takes milliseconds to make a fibre, so fibres are reused, in a ring of at least two blocks.
// Consecutive blocks are then unordered, and in the shuffled order of blocks the pairs vary.
constexpr std::size_t kRing = 512;
std::size_t firstSlot, nextSlot;

// --- Shared arrays

struct Array {
  const void* key;
  unsigned char* memory;
  std::size_t bytes;
  Place place;
};
constexpr unsigned kMaxArrays = 32;
Array arrays[kMaxArrays];
unsigned arrayCount;
std::size_t dynamicBytes, sharedLimit;
char arrayTag, dynamicKey;

// Without a sanitizer, bytes around an array must not change.
constexpr std::size_t kRedZone = kAddressWatched ? 0 : 64;
constexpr unsigned char kRed = 0xa5;

unsigned char** retired;  // memory of the grid's earlier blocks
std::size_t retiredCount, retiredCapacity;

unsigned char* makeArray(std::size_t bytes) {
  unsigned char* const memory = static_cast<unsigned char*>(std::malloc(bytes + 2 * kRedZone));
  if (memory == nullptr) outOfMemory();
  std::memset(memory, kRed, kRedZone);
  std::memset(memory + kRedZone, 0xff, bytes);
  std::memset(memory + kRedZone + bytes, kRed, kRedZone);
  return memory + kRedZone;
}

// The checks of the compiler and the launch. The size of an array is known here when a thread first uses it.
void checkSharedSize(std::size_t more, const Place& place) {
  std::size_t fixed = more;
  for (unsigned i = 0; i < arrayCount; i++)
    if (arrays[i].key != &dynamicKey) fixed += arrays[i].bytes;
  if (fixed > kSharedUnasked || fixed + dynamicBytes > sharedLimit)
    fail(place,
         "a block has %zu bytes of shared arrays and %zu of the launch's, and %zu were asked for on sm_%d",
         fixed, dynamicBytes, sharedLimit, device().architecture);
}

void checkRedZones(const Array& array) {
  for (std::size_t i = 0; i < kRedZone; i++) {
    const bool before = array.memory[-1 - static_cast<std::ptrdiff_t>(i)] != kRed;
    if (before || array.memory[array.bytes + i] != kRed)
      fail(array.place, "written %zu bytes %s the shared array of %zu bytes that was asked for here", i + 1,
           before ? "before" : "past", array.bytes);
  }
}

// --- Copies

struct Copies {
  Copy* held;
  std::size_t capacity, count, first;
  std::uint32_t group;  // the open one
};
Copies copies[kMaxThreads];

}  // namespace

void beginBlockContexts(unsigned threads) {
  if (!kThreadWatched) return;
  const std::size_t ring = 2 * threads > kRing ? 2 * threads : kRing;
  firstSlot = nextSlot + threads <= ring ? nextSlot : 0;
  nextSlot = firstSlot + threads;
}

void prepareContext(Context& context, unsigned thread, void (*entry)()) {
  const std::size_t slot = firstSlot + thread;
  grow(slots, slotCapacity, slot + 1);
  for (; slotCount <= slot; slotCount++) slots[slotCount] = {makeStack(), makeFibre()};
  const Slot& own = slots[slot];
  // Stacks of threads that do the same start in different cache sets.
  char* const top = own.stack + kStackBytes - slot % 32 * 128;
  context = {freshStack(top, entry), own.stack, kStackBytes, own.watched, nullptr};
}

void beginBlockMemory(std::size_t bytes, std::size_t limit) {
  dynamicBytes = bytes;
  sharedLimit = limit;
  arrayCount = 0;
}

void endBlockMemory() {
  for (unsigned i = 0; i < arrayCount; i++) {
    checkRedZones(arrays[i]);
    grow(retired, retiredCapacity, retiredCount + 1);
    retired[retiredCount++] = arrays[i].memory - kRedZone;
  }
  if (!kThreadWatched) endGridMemory();
}

void endGridMemory() {
  while (retiredCount > 0) std::free(retired[--retiredCount]);
}

void* sharedMemory(const void* key, std::size_t bytes, const Place& place) {
  unsigned i = 0;
  while (i < arrayCount && arrays[i].key != key) i++;
  if (i == arrayCount) {
    if (i == kMaxArrays) fail(place, "more than %u shared arrays", kMaxArrays);
    checkSharedSize(key == &dynamicKey ? 0 : bytes, place);
    // Switches to the host, so that ThreadSanitizer does not attribute the write to this thread.
    becomeFibre(host.watched);
    arrays[arrayCount++] = {key, makeArray(bytes), bytes, place};
    releaseTag(&arrayTag);
    becomeFibre(fibres[currentThread].context.watched);
  }
  acquireTag(&arrayTag);
  return arrays[i].memory;
}

void* dynamicSharedMemory(const Place& place) { return sharedMemory(&dynamicKey, dynamicBytes, place); }

bool isShared(const void* data, std::size_t bytes) {
  const unsigned char* const begin = static_cast<const unsigned char*>(data);
  for (unsigned i = 0; i < arrayCount; i++)
    if (begin >= arrays[i].memory && begin + bytes <= arrays[i].memory + arrays[i].bytes) return true;
  return false;
}

void holdCopy(const Copy& copy) {
  Copies& own = copies[currentThread];
  becomeFibre(host.watched);  // as in sharedMemory
  grow(own.held, own.capacity, own.count + 1);
  becomeFibre(fibres[currentThread].context.watched);
  hideBytes(copy.shared, copy.bytes);
  own.held[own.count] = copy;
  own.held[own.count++].group = own.group;
}

void closeCopyGroup() { copies[currentThread].group++; }

bool takeCopy(std::uint32_t pending, Copy* copy) {
  Copies& own = copies[currentThread];
  if (own.first == own.count) {
    own.first = own.count = 0;
    return false;
  }
  if (own.held[own.first].group + pending >= own.group) return false;
  *copy = own.held[own.first++];
  showBytes(copy->shared, copy->bytes);
  return true;
}

void endThreadCopies() {
  Copies& own = copies[currentThread];
  if (own.first != own.count)
    fail(own.held[own.first].place, "the thread ended without waiting for this asynchronous copy");
  own.first = own.count = own.group = 0;
}

}  // namespace standin
