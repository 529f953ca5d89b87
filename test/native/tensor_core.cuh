// Stand-in for native/cuda/device/tensor_core.cuh, whose comments are the contract: the same in plain C++. It
// omits everything that kernels may not rely on.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

namespace packed_rnn::cuda {

template <class T, int count, int name>
T* sharedArray(const standin::Place& place = standin::Place::current()) {
  static const char key = 0;
  return static_cast<T*>(standin::sharedMemory(&key, count * sizeof(T), place));
}
template <class T>
T* dynamicShared(const standin::Place& place = standin::Place::current()) {
  return static_cast<T*>(standin::dynamicSharedMemory(place));
}

// Both kinds are compiled; the simulated device decides which is launched.
template <bool tensor>
constexpr bool compiledFor() {
  return true;
}

inline uint4 readShared(const uint4* from) { return *from; }
inline void keepOrder() {}

// Rounded to 11 bits.
inline float approximateTanh(float x) {
  if (x != x) return x;
  return __uint_as_float((__float_as_uint(tanhf(x)) + 0x1000u) & ~0x1fffu);
}

inline float flushed(float x) {
  return (__float_as_uint(x) & 0x7f800000u) == 0 ? __uint_as_float(__float_as_uint(x) & 0x80000000u) : x;
}

// The bytes are NaN until the thread has waited for them. It is an error if the memory changes meanwhile.
template <int bytes>
void copyAsync(void* shared, const void* global, bool inside,
               const standin::Place& place = standin::Place::current()) {
  static_assert(bytes == 4 || bytes == 16);
  if (reinterpret_cast<std::uintptr_t>(shared) % bytes != 0 ||
      reinterpret_cast<std::uintptr_t>(global) % bytes != 0)
    standin::fail(place, "copyAsync<%d>: %p or %p is not aligned to %d bytes", bytes, shared, global, bytes);
  if (!standin::isShared(shared, bytes))
    standin::fail(place, "copyAsync<%d>: %p is not in a shared array", bytes, shared);
  standin::Copy copy = {shared, inside ? global : nullptr, {}, bytes, 0, place};
  if (inside) std::memcpy(copy.seen, global, bytes);
  std::memset(shared, 0xff, bytes);
  standin::holdCopy(copy);
}
inline void commitCopies() { standin::closeCopyGroup(); }
template <int pending>
void waitForCopies() {
  standin::Copy copy;
  while (standin::takeCopy(pending, &copy)) {
    if (copy.global != nullptr && std::memcmp(copy.seen, copy.global, copy.bytes) != 0)
      standin::fail(copy.place, "what is copied changed before the copy was waited for");
    std::memcpy(copy.shared, copy.seen, copy.bytes);
  }
}

struct Tf32 {
  static constexpr int kPerWord = 1;
  static std::uint32_t round(float x) {
    return x != x ? 0x7fffffffu : (__float_as_uint(x) + 0x1000u) & ~0x1fffu;
  }
  static void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                  const standin::Place& place = standin::Place::current()) {
    standin::Fragments own = {{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
    standin::multiplyTf32(&own, place);
    for (int i = 0; i < 4; i++) d[i] = own.d[i];
  }
};

struct Bf16 {
  static constexpr int kPerWord = 2;
  static std::uint32_t round(float low, float high) {
    return static_cast<std::uint32_t>(round(low)) | static_cast<std::uint32_t>(round(high)) << 16;
  }
  static std::uint16_t round(float x) {
    const std::uint32_t bits = __float_as_uint(x);
    if (x != x) return 0x7fffu;
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
  }
  static void mma(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                  const standin::Place& place = standin::Place::current()) {
    standin::Fragments own = {{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
    standin::multiplyBf16(&own, place);
    for (int i = 0; i < 4; i++) d[i] = own.d[i];
  }
};

}  // namespace packed_rnn::cuda
