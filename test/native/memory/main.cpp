// Tests DeviceMemory case by case. Prints a line for each case that is wrong.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "device_memory.h"

namespace {
bool starving = false;
}  // namespace

void* operator new(std::size_t bytes) {
  void* const data = starving ? nullptr : std::malloc(bytes);
  if (data == nullptr) throw std::bad_alloc();
  return data;
}
void operator delete(void* data) noexcept { std::free(data); }
void operator delete(void* data, std::size_t) noexcept { std::free(data); }

namespace {

using packed_rnn::Error;
using packed_rnn::cuda::DeviceMemory;

int wrong = 0;
void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "not so: %s\n", what);
  wrong++;
}

// The code and the message of an error, or an empty string.
std::string refusalOf(DeviceMemory& memory, std::size_t bytes) {
  try {
    memory.allocate(bytes);
    return "";
  } catch (const Error& error) {
    return std::string(error.code) + " " + error.message;
  }
}

void withinALimit() {
  constexpr std::size_t limit = std::size_t{1} << 20;
  DeviceMemory memory(0, limit);
  // With enough room, 32 KiB would be taken from the 36 KiB in reserve.
  memory.deallocate(memory.allocate(36 << 10), 36 << 10);
  std::vector<void*> held;
  for (const int power : {19, 18, 17, 16, 14, 14}) held.push_back(memory.allocate(std::size_t{1} << power));
  try {
    held.push_back(memory.allocate(32 << 10));
  } catch (const Error&) {
  }
  expect(memory.use().held == limit, "a block that is used again counts with all it has");
  expect(
      refusalOf(memory, 1) == "ERR_OUT_OF_MEMORY wanted 256 bytes, 1048576 of the limit of 1048576 are held",
      "a refusal names bytes and limit");
  for (void* const data : held) memory.deallocate(data, 0);
}

void onAFullDevice() {
  DeviceMemory memory(0, 0);
  fakeDevice.bytes = 1 << 20;
  memory.deallocate(memory.allocate(700 << 10), 700 << 10);
  expect(memory.use().cached >= 700 << 10, "what is given back waits to be used again");
  void* const half = memory.allocate(512 << 10);
  expect(memory.use().cached == 0, "what waits goes where memory is missing");
  expect(refusalOf(memory, 768 << 10) ==
             "ERR_OUT_OF_MEMORY wanted 786432 bytes, 524288 are held: a fake's error",
         "a full device is told");
  fakeDevice.lost = true;
  expect(refusalOf(memory, 1).starts_with("ERR_DEVICE_LOST"), "a device that is lost is told");
  fakeDevice.lost = false;
  memory.deallocate(half, 512 << 10);
  fakeDevice.bytes = std::size_t{1} << 30;
}

void forOtherLengths() {
  fakeDevice.bytes = std::size_t{1} << 40;
  constexpr std::size_t small = 40 << 10, large = std::size_t{30} << 20;
  {
    DeviceMemory memory(0, 0);
    for (const std::size_t bytes : {small, large}) memory.deallocate(memory.allocate(bytes), bytes);
    const std::size_t cached = memory.use().cached;
    void* const half = memory.allocate(large / 2 + 1);
    expect(memory.use().held >= large && memory.use().cached == cached - memory.use().held,
           "a large block is used again for half of it");
    void* const other = memory.allocate(small / 2 + 1);
    expect(memory.use().held < large + small, "a small block is not");
    for (void* const data : {half, other}) memory.deallocate(data, 0);
  }
  {
    DeviceMemory memory(0, 0);
    memory.deallocate(memory.allocate(large), large);
    void* const less = memory.allocate(large * 3 / 8);
    expect(memory.use().held < large / 2, "a large block is not used for less than half of it");
    memory.deallocate(less, 0);
  }
  {
    // The reserve has room for the peak, 2 GiB, and 1 GiB.
    constexpr std::size_t peak = std::size_t{2} << 30;
    DeviceMemory memory(0, 0);
    memory.deallocate(memory.allocate(peak), peak);
    std::vector<void*> held;
    for (int i = 0; i < 9; i++) held.push_back(memory.allocate(std::size_t{128} << 20));
    for (void* const data : held) memory.deallocate(data, 0);
    expect(memory.use().cached == std::size_t{9} << 27, "the largest block is freed, and no other");
  }
  fakeDevice.bytes = std::size_t{1} << 30;
}

void withoutHostMemory() {
  DeviceMemory memory(0, 0);
  std::vector<void*> held;
  for (int i = 1; i < 20; i++) held.push_back(memory.allocate(static_cast<std::size_t>(i) << 12));
  const std::size_t used = fakeDevice.used;
  bool told = false;
  starving = true;
  try {
    memory.allocate(std::size_t{1} << 24);
  } catch (const std::bad_alloc&) {
    told = true;
  }
  for (void* const data : held) memory.deallocate(data, 0);
  starving = false;
  expect(told && fakeDevice.used == used, "the device is asked for nothing where the host has no memory");
  expect(memory.use().held == 0, "giving back needs no memory");
}

}  // namespace

int main() {
  withinALimit();
  onAFullDevice();
  forOtherLengths();
  withoutHostMemory();
  return wrong == 0 ? 0 : 1;
}
