#include "addon/queue.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <thread>

namespace packed_rnn {

namespace {

void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr std::size_t kBytesOfTask = 512;

std::size_t bytesOfResults(Task& task) {
  std::size_t bytes = 0;
  for (const Held& held : task.held()) {
    if (held.writes()) bytes += held.buffer->bytes;
  }
  return bytes;
}

}  // namespace

Queue::Queue(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {
  // A queue and its thread live as long as the process. Exiting does not wait for them.
  std::thread([this] { loop(); }).detach();
}

void Queue::push(TaskPointer task) {
  const std::size_t bytes = kBytesOfTask + task->hostBytes + bytesOfResults(*task);
  std::unique_lock lock(mutex_);
  if (waitingBytes_ > 0 && waitingBytes_ + bytes > kMostBytes) {
    blocked_++;
    room_.wait(lock, [&] { return waitingBytes_ == 0 || waitingBytes_ + bytes <= kMostBytes; });
    blocked_--;
  }
  issuedTasks_.push_back({std::move(task), bytes});
  waitingBytes_ += bytes;
  anyIssued_.store(true, std::memory_order_release);
  const bool wake = asleep_;
  lock.unlock();
  if (wake) issued_.notify_one();  // a system call: only if the thread sleeps
}

void FunctionTask::run(Queue& queue) { function(queue.backend()); }

void Queue::synchronize(std::shared_ptr<Failures> failures, std::function<void(const FailurePointer&)> done) {
  auto task = std::make_unique<FunctionTask>("synchronize");
  task->waits = true;
  task->function = [](Backend& backend) { backend.synchronize(); };
  task->done = [failures, done = std::move(done)](const FailurePointer& own) {
    const FailurePointer earlier = failures->take();
    done(own != nullptr ? own : earlier);
  };
  task->failures = std::move(failures);
  push(std::move(task));
}

// A caller that issues ops in a row then need not wake this thread for each.
void Queue::spinUntilIssued() {
  constexpr std::chrono::microseconds kLongest{50};
  const auto end = std::chrono::steady_clock::now() + kLongest;
  while (!anyIssued_.load(std::memory_order_acquire)) {
    finishArrived();
    for (int i = 0; i < 32; i++) pauseCpu();
    if (std::chrono::steady_clock::now() > end) return;
  }
}

// An arriving download does not wake this thread, so it polls while one is in progress.
void Queue::take() {
  constexpr std::chrono::microseconds kBetweenLooks{20};
  spinUntilIssued();
  std::unique_lock lock(mutex_);
  const auto issued = [this] { return !issuedTasks_.empty(); };
  // This uses the system's clock, because a wait by the steady clock needs a newer C library.
  const auto nextLook = [&] { return std::chrono::system_clock::now() + kBetweenLooks; };
  asleep_ = true;
  while (!readings_.empty() && !issued_.wait_until(lock, nextLook(), issued)) {
    lock.unlock();
    finishArrived();
    lock.lock();
  }
  issued_.wait(lock, issued);
  asleep_ = false;
  taken_.swap(issuedTasks_);
  anyIssued_.store(false, std::memory_order_relaxed);
}

void Queue::loop() {
  backend_->attach();
  for (;;) {
    take();
    while (!taken_.empty()) runTaken();
  }
}

void Queue::runTaken() {
  auto [task, bytes] = std::move(taken_.front());
  taken_.pop_front();
  const FailurePointer failure = execute(*task);
  if (backend_->downloads() > readings_.size()) {
    Reading& reading = reading_.front();
    for (Held& held : task->held()) held.buffer.reset();
    reading.task = std::move(task);
    reading.launched = launched_.count();
    reading.doubts = nextDoubt_;
    readings_.splice(readings_.end(), reading_);
  } else {
    end(std::move(task), failure);
  }
  finishArrived();
  const std::size_t left = waitingBytes_ -= bytes;
  // A blocked caller continues when half of the room is free, so it is not woken for each op.
  if (blocked_ > 0 && left <= kMostBytes / 2) {
    const std::lock_guard lock(mutex_);
    room_.notify_all();
  }
}

void Queue::end(TaskPointer task, const FailurePointer& failure) {
  const auto done = std::move(task->done);
  // Releases its buffers before the next op allocates, and before `done` is called.
  task.reset();
  if (!done) return;
  // This is set here and not when the promise rejects, because a `synchronize` issued next must not report it
  // again.
  if (failure != nullptr) failure->observed = true;
  done(failure);
}

void Queue::finishArrived() {
  while (!readings_.empty() && finishReading(false)) {
  }
}

// Finishes the oldest download. Returns false if it has not arrived.
bool Queue::finishReading(bool wait) {
  Reading& reading = readings_.front();
  FailurePointer failure;
  try {
    if (!backend_->arrived(wait)) return false;
    launched_.settle(reading.launched);
    settle(reading.doubts);
    if (reading.doubt != nullptr) failure = reading.doubt->failure;
  } catch (...) {
    failure = failed(*reading.task);
  }
  end(std::move(reading.task), failure);
  readings_.pop_front();
  return true;
}

// Call this when all launched ops are computed. It also waits for all downloads.
void Queue::settleAll() {
  while (!readings_.empty()) finishReading(true);
  launched_.settle(launched_.count());
  settle(nextDoubt_);
}

Kept** Queue::kept(std::size_t keeper, Buffer& holder, const KeptForm::Origin& origin) {
  std::unique_ptr<KeptForm>& form = holder.kept[keeper];
  if (form == nullptr) form = std::make_unique<KeptForm>(kept_);
  return form->place(origin);
}

void Queue::allocate(Task& task) {
  for (const Held& held : task.held()) {
    if (held.writes() && held.buffer->data == nullptr)
      held.buffer->data = backend_->allocate(held.buffer->bytes);
  }
  // Buffers that are updated for the first time start as zeros. If there is no memory, the buffer stays
  // unallocated but does not fail, so that the next op may try again.
  for (const Held& held : task.held()) {
    if (!held.updates() || held.buffer->data != nullptr) continue;
    Buffer& buffer = *held.buffer;
    buffer.data = backend_->allocate(buffer.bytes);
    backend_->run(Fill{static_cast<std::int64_t>(buffer.bytes / sizeof(float)), 0.0f, nullptr,
                       static_cast<float*>(buffer.data)});
  }
}

// Calls f(). If it runs out of memory and freeing the kept forms frees some, calls it again.
template <class F>
void Queue::withRoom(F f) {
  try {
    f();
  } catch (const Error& error) {
    if (std::strcmp(error.code, "ERR_OUT_OF_MEMORY") != 0 || !kept_.drop()) throw;
    f();
  }
}

void Queue::compute(Task& task) {
  bool updates = false, writes = false;
  for (const Held& held : task.held()) {
    if (held.reads() && held.buffer->data == nullptr)
      throw Error{"ERR_OP_FAILED", "an input was never computed"};
    updates = updates || held.updates();
    writes = writes || held.writes();
  }
  withRoom([&] { allocate(task); });
  // If all results are empty, there is nothing to compute. Without this check a kernel could loop over
  // billions of rows without columns.
  if (!updates && writes && bytesOfResults(task) == 0) return;
  // A failed op has changed nothing, so it may run again.
  task.usesUp ? task.run(*this) : withRoom([&] { task.run(*this); });
}

// Reads the results of undecided ops from the device, up to doubt number `doubts`.
void Queue::settle(std::uint64_t doubts) {
  for (; firstDoubt_ < doubts; firstDoubt_++) {
    const DoubtPointer doubt = std::move(doubts_[firstDoubt_ % kMostDoubts]);
    Error reason{"ERR_OP_FAILED", {}};
    if (backend_->settle(doubt->refused, reason)) {
      doubt->failure = doubt->failures->add(doubt->number, reason.code, doubt->name, doubt->sizes,
                                            reason.message, nullptr);
    }
    doubt->refused = nullptr;
  }
}

// Returns the doubt that the op's outputs inherit from its inputs. If the op may not run before that doubt is
// settled, waits for it.
DoubtPointer Queue::doubtOf(Task& task) {
  if (firstDoubt_ == nextDoubt_) return nullptr;
  DoubtPointer found;
  bool several = false, changesOthers = false;
  for (const Held& held : task.held()) {
    if (!held.reads() && !held.updates()) continue;
    const DoubtPointer& doubt = held.buffer->doubt;
    const bool open = doubt != nullptr && doubt->refused != nullptr;
    if (!open) {
      changesOthers = changesOthers || held.updates();
      continue;
    }
    several = several || (found != nullptr && found != doubt);
    found = doubt;
  }
  const bool full = task.doubt != nullptr && nextDoubt_ - firstDoubt_ == kMostDoubts;
  // An op that creates a doubt cannot inherit one. Neither can an op with `done` that does not wait: its
  // caller needs the result.
  const bool mayBear =
      !several && task.doubt == nullptr && task.done == nullptr && (task.heedsDoubt || !changesOthers);
  if (!full && (found == nullptr || task.waits || mayBear)) return found;
  backend_->synchronize();
  settleAll();
  return nullptr;
}

namespace {

bool failsWith(const Task& task, const Held& held) {
  return held.writes() || (task.failsUpdates && held.updates());
}

const FailurePointer& failureOf(const Buffer& buffer) {
  return buffer.failure == nullptr && buffer.doubt != nullptr ? buffer.doubt->failure : buffer.failure;
}

void fail(Task& task, const FailurePointer& failure) {
  for (const Held& held : task.held()) {
    if (failsWith(task, held)) held.buffer->failure = failure;
  }
}

}  // namespace

// Throws if the op fails; returns the failure of an input.
FailurePointer Queue::run(Task& task) {
  DoubtPointer doubt = doubtOf(task);
  refused_ = doubt == nullptr ? nullptr : doubt->refused;
  // Inputs that are read come first.
  for (const bool reads : {true, false}) {
    for (const Held& held : task.held()) {
      if (!(reads ? held.reads() : held.updates())) continue;
      const FailurePointer failure = failureOf(*held.buffer);
      if (failure == nullptr) continue;
      fail(task, failure);
      return failure;
    }
  }
  for (const Held& held : task.held()) {
    if (held.buffer == nullptr || held.direction == Direction::read) continue;
    held.buffer->stamp = ++stamp_;
    for (const std::unique_ptr<KeptForm>& form : held.buffer->kept) {
      if (form != nullptr) form->drop();
    }
  }
  if (task.waits && reading_.empty()) reading_.emplace_back();
  compute(task);
  if (task.waits) {
    reading_.front().doubt = doubt;
    if (backend_->downloads() > readings_.size()) return nullptr;
    settleAll();
    return doubt == nullptr ? nullptr : doubt->failure;
  }
  const std::uint64_t number = launched_.count();
  launched_.add(task.name(), task.sizes());
  if (task.doubt != nullptr && task.doubt->refused != nullptr) {
    doubt = task.doubt;
    doubt->name = task.name();
    doubt->sizes = task.sizes();
    doubt->failures = task.failures;
    doubt->number = number;
    doubts_[nextDoubt_++ % kMostDoubts] = doubt;
  }
  for (const Held& held : task.held()) {
    if (failsWith(task, held)) held.buffer->doubt = doubt;
  }
  return nullptr;
}

FailurePointer Queue::execute(Task& task) {
  try {
    return run(task);
  } catch (...) {
    const FailurePointer failure = failed(task);
    fail(task, failure);
    return failure;
  }
}

// Makes the failure of an op from the current exception.
FailurePointer Queue::failed(const Task& task) {
  Error reason{"ERR_OP_FAILED", {}};
  try {
    throw;
  } catch (const Error& error) {
    reason = error;
  } catch (const std::bad_alloc&) {
    reason = {"ERR_OUT_OF_MEMORY", "the host has no memory left"};
  } catch (const std::exception& error) {
    std::snprintf(reason.message, sizeof reason.message, "%s", error.what());
  } catch (...) {
    std::snprintf(reason.message, sizeof reason.message, "an exception of an unknown type");
  }
  const bool lost = std::strcmp(reason.code, "ERR_DEVICE_LOST") == 0;
  return task.failures->add(launched_.count(), reason.code, task.name(), task.sizes(), reason.message,
                            lost ? &launched_ : nullptr);
}

}  // namespace packed_rnn
