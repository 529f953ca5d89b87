#include "cpu/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace packed_rnn {

namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPage = std::size_t{2} << 20;  // a huge page

// Few distinct sizes, so that a slightly longer or shorter batch finds a block that fits.
std::size_t rounded(std::size_t bytes) {
  if (bytes < kLine) bytes = kLine;
  std::size_t step = kLine;
  while (step * 16 <= bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

// The largest block that a request accepts: sizes of successive batches of one length differ by less than an
// eighth. A large block costs many pages, and may be twice as large, so that batches of different lengths
// share it.
std::size_t mostFor(std::size_t size) { return size + (size >= kPage / 2 ? size : size / 8); }

}  // namespace

Allocator::~Allocator() { giveBack(excess(0)); }

void* Allocator::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  {
    const std::lock_guard lock(mutex_);
    if (limit_ != 0 && held_ + asked_ + size > limit_) {
      Error failure{"ERR_OUT_OF_MEMORY", {}};
      std::snprintf(failure.message, sizeof failure.message,
                    "wanted %zu bytes, %zu of the limit of %zu are held", size, held_ + asked_, limit_);
      throw failure;
    }
    const std::size_t most = limit_ == 0 ? mostFor(size) : std::min(size + size / 8, limit_ - held_ - asked_);
    if (const auto found = free_.lower_bound(size); found != free_.end() && found->size <= most) {
      cached_ -= found->size;
      return lend(free_.extract(found));
    }
    asked_ += size;
  }
  Free::node_type block;
  try {
    block = fresh(size);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    asked_ -= size;
    throw;
  }
  const std::lock_guard lock(mutex_);
  asked_ -= size;
  return lend(std::move(block));
}

Allocator::Free::node_type Allocator::fresh(std::size_t size) {
  Free made = {{size, nullptr}};  // allocates the node before the memory
  auto block = made.extract(made.begin());
  void*& data = block.value().data;
  const auto ask = [size] {
    return std::aligned_alloc(size >= kPage ? kPage : kLine,
                              size >= kPage ? (size + kPage - 1) / kPage * kPage : size);
  };
  data = ask();
  if (data == nullptr) {
    // Freeing the reserve may free enough.
    std::unique_lock lock(mutex_);
    Free kept = excess(0);
    lock.unlock();
    giveBack(std::move(kept));
    data = ask();
  }
  if (data == nullptr) {
    Error failure{"ERR_OUT_OF_MEMORY", {}};
    std::snprintf(failure.message, sizeof failure.message, "wanted %zu bytes, %zu are held", size,
                  use().held);
    throw failure;
  }
#if defined(MADV_HUGEPAGE)
  if (size >= kPage) madvise(data, size, MADV_HUGEPAGE);
#endif
  return block;
}

void* Allocator::lend(Free::node_type block) noexcept {
  // Some tens of training steps. The reserve of a peak is freed two periods later at the latest.
  constexpr int kPeriod = 4096;
  void* const data = block.value().data;
  held_ += block.value().size;
  lent_.insert(std::move(block));
  if (++lends_ > kPeriod) {
    lends_ = 0;
    peakBefore_ = peak_;
    peak_ = 0;
  }
  if (held_ > peak_) peak_ = held_;
  return data;
}

void Allocator::deallocate(void* data, std::size_t) noexcept {
  std::unique_lock lock(mutex_);
  const auto lent = lent_.find(data);
  if (lent == lent_.end()) return;
  held_ -= lent->size;
  cached_ += lent->size;
  free_.insert(lent_.extract(lent));
  // The reserve has room for the last peak, plus 256 MB because sizes vary.
  const std::size_t peak = peak_ > peakBefore_ ? peak_ : peakBefore_;
  Free rest = excess(peak - held_ + (std::size_t{256} << 20));
  lock.unlock();
  giveBack(std::move(rest));
}

Allocator::Free Allocator::excess(std::size_t bytes) noexcept {
  Free taken;
  while (cached_ > bytes && !free_.empty()) {
    const auto largest = std::prev(free_.end());
    cached_ -= largest->size;
    taken.insert(free_.extract(largest));
  }
  return taken;
}

void Allocator::giveBack(Free blocks) noexcept {
  for (const Block& block : blocks) std::free(block.data);
}

MemoryUse Allocator::use() const noexcept {
  const std::lock_guard lock(mutex_);
  return {held_, cached_};
}

}  // namespace packed_rnn
