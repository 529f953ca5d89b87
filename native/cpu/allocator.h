// Reused host memory. A training step needs the same hundreds of megabytes as the one before, and fresh pages
// cost more than the arithmetic on them.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>

#include "backend.h"

namespace packed_rnn {

class Allocator {
 public:
  explicit Allocator(std::size_t limit) : limit_(limit) {}
  ~Allocator();
  void* allocate(std::size_t bytes);
  void deallocate(void* data, std::size_t bytes) noexcept;
  MemoryUse use() const noexcept;

 private:
  // A block has one node, which moves between the two sets, so freeing a block allocates nothing.
  struct Block {
    std::size_t size;  // rounded
    void* data;
  };
  struct BySize {
    using is_transparent = void;
    bool operator()(const Block& a, const Block& b) const { return a.size < b.size; }
    bool operator()(const Block& a, std::size_t size) const { return a.size < size; }
  };
  struct ByAddress {
    using is_transparent = void;
    bool operator()(const Block& a, const Block& b) const { return std::less<>{}(a.data, b.data); }
    bool operator()(const Block& a, void* data) const { return std::less<>{}(a.data, data); }
    bool operator()(void* data, const Block& b) const { return std::less<>{}(data, b.data); }
  };
  using Free = std::multiset<Block, BySize>;

  // `fresh` and `giveBack` are called without the lock, so that another thread does not wait while the system
  // provides pages. The other functions are called with the lock held.
  Free::node_type fresh(std::size_t size);
  static void giveBack(Free blocks) noexcept;
  // Removes the largest blocks from the reserve until it holds at most this many bytes.
  Free excess(std::size_t bytes) noexcept;
  void* lend(Free::node_type block) noexcept;

  mutable std::mutex mutex_;
  Free free_;
  std::set<Block, ByAddress> lent_;
  std::size_t limit_;  // bytes that may be held at once; 0: no limit
  std::size_t held_ = 0;
  std::size_t asked_ = 0;  // bytes that `fresh` is about to return
  std::size_t cached_ = 0;
  // The most that was held since `lends_` was reset to 0, and in the period before. A step's peak recurs.
  std::size_t peak_ = 0, peakBefore_ = 0;
  int lends_ = 0;
};

}  // namespace packed_rnn
