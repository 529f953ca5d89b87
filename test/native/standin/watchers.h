// Informs the sanitizers about fibres. STANDIN_THREAD or STANDIN_ADDRESS says which one watches the kernels.
// The file that includes this is not instrumented itself.
#pragma once

#include <cstddef>

#if defined(STANDIN_THREAD)
#include <sanitizer/tsan_interface.h>
#elif defined(STANDIN_ADDRESS)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace standin {

// A stack, and a sanitizer's record of the fibre that runs on it.
struct Context {
  void* stackPointer;
  char* stack;
  std::size_t stackBytes;
  void* watched;    // ThreadSanitizer's fibre
  void* fakeStack;  // AddressSanitizer's
};

#if defined(STANDIN_THREAD)
constexpr bool kThreadWatched = true;
inline void releaseTag(void* tag) { __tsan_release(tag); }
inline void acquireTag(void* tag) { __tsan_acquire(tag); }
inline void* currentFibre() { return __tsan_get_current_fiber(); }
inline void* makeFibre() { return __tsan_create_fiber(0); }
inline void becomeFibre(void* fibre) { __tsan_switch_to_fiber(fibre, __tsan_switch_to_fiber_no_sync); }
#else
constexpr bool kThreadWatched = false;
inline void releaseTag(void*) {}
inline void acquireTag(void*) {}
inline void* currentFibre() { return nullptr; }
inline void* makeFibre() { return nullptr; }
inline void becomeFibre(void*) {}
#endif

// Makes bytes inaccessible for a while, as far as AddressSanitizer can check: whole groups of eight.
#if defined(STANDIN_ADDRESS)
constexpr bool kAddressWatched = true;
inline void hideBytes(const void* data, std::size_t bytes) { __asan_poison_memory_region(data, bytes); }
inline void showBytes(const void* data, std::size_t bytes) { __asan_unpoison_memory_region(data, bytes); }
#else
constexpr bool kAddressWatched = false;
inline void hideBytes(const void*, std::size_t) {}
inline void showBytes(const void*, std::size_t) {}
#endif

// Call these around a switch of stacks: leaveStack before it, on the stack that is left (`ends`: forever) ...
inline void leaveStack([[maybe_unused]] Context& from, Context& to, [[maybe_unused]] bool ends) {
#if defined(STANDIN_ADDRESS)
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fakeStack, to.stack, to.stackBytes);
#endif
  becomeFibre(to.watched);
}
// ... and enterStack after it, on the stack that is entered; this records the bounds of `left`.
inline void enterStack([[maybe_unused]] Context& to, [[maybe_unused]] Context& left) {
#if defined(STANDIN_ADDRESS)
  const void* stack;
  __sanitizer_finish_switch_fiber(to.fakeStack, &stack, &left.stackBytes);
  left.stack = static_cast<char*>(const_cast<void*>(stack));
#endif
}

}  // namespace standin
