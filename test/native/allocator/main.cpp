// Tests the CPU's allocator while the system allocates or frees memory. Prints a line for each case that is
// wrong. The linker redirects aligned_alloc, madvise and free of these sources to the functions here.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "cpu/allocator.h"

namespace {

using packed_rnn::Allocator;
using packed_rnn::Error;

std::function<void(const char*)> onCall;  // called with the name of each system call
bool refuses = false;                     // the next aligned_alloc fails

void report(const char* name) {
  static thread_local bool reporting = false;
  if (reporting || onCall == nullptr) return;
  reporting = true;
  onCall(name);
  reporting = false;
}

}  // namespace

extern "C" {
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
int __real_madvise(void* data, std::size_t size, int advice);
void __real_free(void* data);

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  report("aligned_alloc");
  if (!refuses) return __real_aligned_alloc(alignment, size);
  refuses = false;
  return nullptr;
}
int __wrap_madvise(void* data, std::size_t size, int advice) {
  report("madvise");
  return __real_madvise(data, size, advice);
}
void __wrap_free(void* data) {
  report("free");
  __real_free(data);
}
}

namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

int wrong = 0;
void expect(bool good, const std::string& what) {
  if (good) return;
  std::fprintf(stderr, "wrong: %s\n", what.c_str());
  wrong++;
}

// Whether another thread can do this now, without waiting.
bool otherThreadCan(const std::function<void()>& act) {
  std::promise<void> done;
  std::future<void> end = done.get_future();
  std::thread([&act, done = std::move(done)]() mutable {
    act();
    done.set_value();
  }).detach();
  if (end.wait_for(std::chrono::seconds(3)) == std::future_status::ready) return true;
  // That thread still waits for the lock, so the objects that it uses must outlive it.
  std::fprintf(stderr, "wrong: another thread waits for the lock\n");
  std::_Exit(1);
}

void othersGoOn() {
  Allocator allocator(0);
  std::string calls;
  void* const small = allocator.allocate(64);
  bool given = false;
  onCall = [&](const char* name) {
    calls += std::string(name) + " ";
    otherThreadCan([&] {
      allocator.use();
      if (!given) allocator.deallocate(small, 64);
      given = true;
    });
  };
  void* const large = allocator.allocate(512 * kMegabyte);
  expect(given, "another thread gives a block back while the system gives memory");
  expect(calls == "aligned_alloc madvise ", "the calls of an allocation are known, got " + calls);
  expect(allocator.use().held == 512 * kMegabyte, "the block is held");
  allocator.deallocate(large, 512 * kMegabyte);
  // After two periods without such a peak, the large block is freed.
  calls.clear();
  for (int i = 0; i < 9000; i++) allocator.deallocate(allocator.allocate(64), 64);
  expect(calls.find("free") != std::string::npos, "memory is given back, got " + calls);
  expect(allocator.use().cached < 512 * kMegabyte, "and is not kept");
  onCall = nullptr;
}

void keptBlocksAreGivenBackForAFreshOne() {
  Allocator allocator(0);
  allocator.deallocate(allocator.allocate(8 * kMegabyte), 8 * kMegabyte);
  std::string calls;
  onCall = [&](const char* name) {
    calls += std::string(name) + " ";
    otherThreadCan([&] { allocator.use(); });
  };
  refuses = true;
  void* const data = allocator.allocate(64 * kMegabyte);
  onCall = nullptr;
  expect(calls == "aligned_alloc free aligned_alloc madvise ", "what is kept makes room, got " + calls);
  const packed_rnn::MemoryUse use = allocator.use();
  expect(use.held == 64 * kMegabyte && use.cached == 0, "the new block alone is left");
  allocator.deallocate(data, 64 * kMegabyte);
}

void twoThreadsKeepTheLimitTogether() {
  Allocator allocator(3 * kMegabyte);
  std::string refusal;
  bool asked = false;
  onCall = [&](const char*) {
    if (std::exchange(asked, true)) return;
    otherThreadCan([&] {
      try {
        allocator.allocate(2 * kMegabyte);
      } catch (const Error& error) {
        refusal = error.code;
      }
    });
  };
  void* const data = allocator.allocate(2 * kMegabyte);
  onCall = nullptr;
  expect(refusal == "ERR_OUT_OF_MEMORY", "what another thread is about to get counts");
  allocator.deallocate(data, 2 * kMegabyte);
  allocator.deallocate(allocator.allocate(3 * kMegabyte), 3 * kMegabyte);
  expect(allocator.use().held == 0, "nothing is held");
}

}  // namespace

int main() {
  othersGoOn();
  keptBlocksAreGivenBackForAFreshOne();
  twoThreadsKeepTheLimitTogether();
  return wrong == 0 ? 0 : 1;
}
