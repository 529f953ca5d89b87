// An op in a queue: the buffers that it holds, and what it does when the queue runs it.
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

// The ops that keep what they derive from weights: those with a KeptOf.
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

// Device memory with a reference count: handles in JavaScript and ops in the queue hold references. The op
// that first writes the memory allocates it on the device's thread. Only that thread uses the members other
// than `bytes`.
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
  std::uint64_t stamp = 0;  // identifies the contents on their device
  std::array<std::unique_ptr<KeptForm>, kKeepers> kept;
};
using BufferPointer = std::shared_ptr<Buffer>;

struct Held {
  BufferPointer buffer;  // null if absent
  Direction direction = Direction::read;
  bool reads() const { return buffer != nullptr && direction == Direction::read; }
  bool updates() const { return buffer != nullptr && direction == Direction::update; }
  // These are allocated before the op runs, and fail with it.
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
  // Runs on the device's thread after the buffers are allocated.
  virtual void run(Queue&) = 0;
  Sizes sizes() const {
    Sizes sizes;
    addSizes(sizes);
    return sizes;
  }

  std::size_t hostBytes = 0;           // held by the op itself
  std::shared_ptr<Failures> failures;  // of the environment that issued the op; never null
  bool waits = false;                  // when it ends, all earlier ops are computed
  bool usesUp = false;                 // it changes what it updates even if it fails, so it cannot run again
  bool heedsDoubt = false;             // it changes nothing if the device finds that a gradient failed
  bool failsUpdates = false;           // if it fails, so do the buffers that it updates
  DoubtPointer doubt;                  // optional: the op may turn out to have failed
  // Optional. Receives null if the op succeeded. Called on the device's thread; does not throw.
  std::function<void(const FailurePointer&)> done;
};
using TaskPointer = std::unique_ptr<Task>;

// A task that is not an op of native/ops: copies between host and device, waits, marks.
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
