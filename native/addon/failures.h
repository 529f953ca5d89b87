// Why ops failed, and which failures are unobserved.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace packed_rnn {

// An op's sizes, for messages. If there are too many, the first ones are kept.
class Sizes {
 public:
  // The name must outlive this object: it is a member's name or a literal.
  void add(std::string_view name, std::int64_t value) {
    if (count_ < sizes_.size()) sizes_[count_++] = {name, value};
  }
  std::string text() const;

 private:
  struct Size {
    std::string_view name;
    std::int64_t value;
  };
  std::array<Size, 12> sizes_;
  std::size_t count_ = 0;
};

// The latest ops since the device was last known to work. A device reports a kernel's fault only at a later
// op.
class LaunchedOps {
 public:
  void add(const char* name, const Sizes& sizes) { latest_[count_++ % latest_.size()] = {name, sizes}; }
  std::uint64_t count() const { return count_; }
  // The first `count` ops are known to have succeeded.
  void settle(std::uint64_t count) { settled_ = count; }
  std::string text() const;

 private:
  struct Launched {
    const char* name;
    Sizes sizes;
  };
  std::array<Launched, 16> latest_;
  std::uint64_t count_ = 0, settled_ = 0;
};

// Why an op failed. Its outputs carry it, and so do the outputs of every op that reads them.
struct Failure {
  std::uint64_t number;  // how many ops had succeeded on its device before, as far as was known
  std::string code;
  std::string message;
  mutable std::atomic<bool> observed = false;  // an await has rejected with it
};
using FailurePointer = std::shared_ptr<const Failure>;

class Failures;

// An op that may still turn out to have failed on the device. Until this is known, its outputs carry the
// doubt, and so do the outputs of every op that reads them.
struct Doubt {
  const std::int32_t* refused = nullptr;  // see backend.h; null: the op's result is known
  FailurePointer failure;
  const char* name = "";
  Sizes sizes;
  std::uint64_t number = 0;  // as in Failure
  std::shared_ptr<Failures> failures;
};
using DoubtPointer = std::shared_ptr<Doubt>;

// One environment's failures on one queue that no await has reported yet. Only the device's thread uses them.
// The constructor allocates the list, so adding a failure allocates nothing for it.
class Failures {
 public:
  static constexpr std::size_t kMost = 256;

  Failures();
  // Keeps the first kMost - 1 failures and the last one, and counts the others. `launched` is null unless the
  // device is lost.
  FailurePointer add(std::uint64_t number, const char* code, const char* op, const Sizes& sizes,
                     const char* message, const LaunchedOps* launched) noexcept;
  // Returns the first unobserved failure in the order of the ops, or null. Forgets all of them.
  FailurePointer take() noexcept;

 private:
  std::vector<FailurePointer> kept_;
  std::uint64_t dropped_ = 0;
  // Used if there is no memory to describe a failure.
  const FailurePointer speechless_;
};

}  // namespace packed_rnn
