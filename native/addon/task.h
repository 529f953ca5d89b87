// An op in a queue: who holds what it needs, and what it does when its turn comes.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "addon/failures.h"
#include "addon/kept.h"

namespace packed_rnn {

class Queue;

// The ops that keep what they make of weights: of all, those that say so.
namespace detail {
template <class O>
concept Keeping = requires {
  typename O::KeptOf;
};
template <class... O>
consteval std::size_t keepers(List<O...>) {
  return (std::size_t{0} + ... + (Keeping<O> ? 1 : 0));
}
template <class Wanted, class... O>
consteval std::size_t keeperOf(List<O...>) {
  std::size_t n = 0, found = 0;
  ((std::same_as<O, Wanted> ? void(found = n) : void(), n += Keeping<O> ? 1 : 0), ...);
  return found;
}
}  // namespace detail
constexpr std::size_t kKeepers = detail::keepers(Ops{});

// Device memory, counted by those who hold it: handles in JavaScript and ops in the queue. The memory is
// allocated on the device's thread, by the op that first writes it; all but `bytes` is that thread's alone.
struct Buffer {
  Buffer(Backend& owner, std::size_t size) : backend(owner), bytes(size) {}
  ~Buffer() {
    if (data != nullptr) backend.deallocate(data, bytes);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  Backend& backend;
  const std::size_t bytes;
  void* data = nullptr;
  FailurePointer failure;
  DoubtPointer doubt;
  std::uint64_t stamp = 0;  // names its contents on its device
  std::array<std::unique_ptr<KeptForm>, kKeepers> kept;
};
using BufferPointer = std::shared_ptr<Buffer>;

struct Held {
  BufferPointer buffer;  // null where it is absent
  Direction direction = Direction::read;
  bool reads() const { return buffer != nullptr && direction == Direction::read; }
  bool updates() const { return buffer != nullptr && direction == Direction::update; }
  // Allocated before the op runs, and failed with it.
  bool writes() const {
    return buffer != nullptr && (direction == Direction::write || direction == Direction::part);
  }
};

struct Task {
  Task() = default;
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  virtual const char* name() const = 0;
  // For messages.
  virtual void addSizes(Sizes&) const {}
  virtual std::span<Held> held() { return {}; }
  // On the device's thread, when the memory of what it holds is there.
  virtual void run(Queue&) = 0;
  Sizes sizes() const {
    Sizes sizes;
    addSizes(sizes);
    return sizes;
  }

  std::size_t hostBytes = 0;           // held by the op itself
  std::shared_ptr<Failures> failures;  // of who issued the op; never null
  bool waits = false;                  // all before it is computed when it is over
  bool usesUp = false;                 // it changes what it updates even if it fails, and cannot run again
  bool heedsDoubt = false;             // it changes nothing where the device finds that a gradient failed
  bool failsUpdates = false;           // what it updates fails with it
  DoubtPointer doubt;                  // optional: it may turn out later that the op failed
  // Optional. Gets null where the op succeeded. Called on the device's thread, and throws nothing.
  std::function<void(const FailurePointer&)> done;
};
using TaskPointer = std::unique_ptr<Task>;

// What is no op of native/ops: copies between host and device, waits, marks.
struct FunctionTask final : Task {
  explicit FunctionTask(const char* name) : name_(name) {}
  const char* name() const override { return name_; }
  void addSizes(Sizes& sizes) const override {
    if (bytes >= 0) sizes.add("bytes", bytes);
  }
  std::span<Held> held() override { return {&buffer, buffer.buffer == nullptr ? 0u : 1u}; }
  void run(Queue& queue) override;

  Held buffer;
  std::int64_t bytes = -1;
  std::function<void(Backend&)> function;

 private:
  const char* name_;
};

}  // namespace packed_rnn
