// Host memory that is used again: a training step needs the same hundreds of megabytes as the one before, and
// fresh pages cost more than the arithmetic on them.
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
  // A block has one node, which goes from one set to the other: giving it back needs no memory.
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

  // The system is asked without the lock, so that another thread need not wait for its pages: `fresh` and
  // `giveBack` are called without it, the others with it.
  Free::node_type fresh(std::size_t size);
  static void giveBack(Free blocks) noexcept;
  // Takes blocks out of the reserve until it holds no more bytes than these.
  Free excess(std::size_t bytes) noexcept;
  void* lend(Free::node_type block) noexcept;

  mutable std::mutex mutex_;
  Free free_;
  std::set<Block, ByAddress> lent_;
  std::size_t limit_;  // bytes that may be held at once; 0: no limit
  std::size_t held_ = 0;
  std::size_t asked_ = 0;  // what `fresh` is about to return
  std::size_t cached_ = 0;
  // The most that was held since `lends_` were 0, and in the period before: a step's peak comes again.
  std::size_t peak_ = 0, peakBefore_ = 0;
  int lends_ = 0;
};

}  // namespace packed_rnn
