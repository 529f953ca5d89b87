// Why ops failed, and which failures nobody has heard of.
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

// An op's sizes, for messages: of more than there is room for, the first.
class Sizes {
 public:
  // The name is one of a member or a literal: it lives on.
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

// Ops since the device was last known to be well, of many the latest: a device reports a kernel's fault only
// at a later op.
class LaunchedOps {
 public:
  void add(const char* name, const Sizes& sizes) { latest_[count_++ % latest_.size()] = {name, sizes}; }
  std::uint64_t count() const { return count_; }
  // The first so many are known to be well.
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
  std::uint64_t number;  // ops that succeeded on its device before it, as far as was known
  std::string code;
  std::string message;
  mutable std::atomic<bool> observed = false;  // somebody's await rejected with it
};
using FailurePointer = std::shared_ptr<const Failure>;

class Failures;

// An op of which the device has not said yet whether it failed. Its outputs carry it until then, and so do
// the outputs of every op that reads them.
struct Doubt {
  const std::int32_t* refused = nullptr;  // of backend.h; null: the end of the op is known
  FailurePointer failure;
  const char* name = "";
  Sizes sizes;
  std::uint64_t number = 0;  // as a failure's
  std::shared_ptr<Failures> failures;
};
using DoubtPointer = std::shared_ptr<Doubt>;

// The failures of one environment's ops on one queue that no await has shown yet. The device's thread alone
// uses them. The constructor takes the memory: adding a failure needs none for the list.
class Failures {
 public:
  static constexpr std::size_t kMost = 256;

  Failures();
  // Keeps the first kMost - 1 failures and the last one, and counts the others.
  // `launched` is null but for a lost device.
  FailurePointer add(std::uint64_t number, const char* code, const char* op, const Sizes& sizes,
                     const char* message, const LaunchedOps* launched) noexcept;
  // The first failure, in the order of the ops, that nobody has observed, or null. Forgets all of them.
  FailurePointer take() noexcept;

 private:
  std::vector<FailurePointer> kept_;
  std::uint64_t dropped_ = 0;
  // Stands for a failure that there is no memory to describe.
  const FailurePointer speechless_;
};

}  // namespace packed_rnn
