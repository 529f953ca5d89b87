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

std::size_t bytesOf(const Op& op) {
  std::size_t bytes = op.hostBytes;
  for (const BufferPointer& buffer : op.writes) bytes += buffer->bytes;
  return bytes;
}

}  // namespace

Queue::Queue(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {
  // A queue lives as long as the process, and so does its thread: nothing waits for it at exit.
  std::thread([this] { loop(); }).detach();
}

void Queue::push(Op op) {
  const std::size_t bytes = bytesOf(op);
  const auto fits = [&] {
    return ops_.empty() || (ops_.size() < kMostOps && waitingBytes_ + bytes <= kMostBytes);
  };
  std::unique_lock lock(mutex_);
  if (!fits()) {
    blocked_++;
    room_.wait(lock, fits);
    blocked_--;
  }
  ops_.push_back(std::move(op));
  waitingOps_.store(ops_.size(), std::memory_order_release);
  waitingBytes_ += bytes;
  issued_.notify_one();
}

void Queue::synchronize(std::shared_ptr<Failures> failures, std::function<void(const FailurePointer&)> done) {
  Op op;
  op.name = "synchronize";
  op.waits = true;
  op.run = [](Backend& backend) { backend.synchronize(); };
  op.done = [failures, done = std::move(done)](const FailurePointer& own) {
    const FailurePointer earlier = failures->take();
    done(own != nullptr ? own : earlier);
  };
  op.failures = std::move(failures);
  push(std::move(op));
}

// Whoever issues one op after another need not wake this thread for each.
void Queue::spinUntilIssued() {
  constexpr std::chrono::microseconds kLongest{50};
  const auto end = std::chrono::steady_clock::now() + kLongest;
  while (waitingOps_.load(std::memory_order_acquire) == 0) {
    finishArrived();
    for (int i = 0; i < 32; i++) pauseCpu();
    if (std::chrono::steady_clock::now() > end) return;
  }
}

// Nobody wakes this thread when a download arrives, so while one is under way it looks by itself.
Op Queue::next() {
  constexpr std::chrono::microseconds kBetweenLooks{20};
  spinUntilIssued();
  std::unique_lock lock(mutex_);
  const auto issued = [this] { return !ops_.empty(); };
  // Of the system's clock, because a wait by the steady one needs a newer C library.
  const auto nextLook = [&] { return std::chrono::system_clock::now() + kBetweenLooks; };
  while (!readings_.empty() && !issued_.wait_until(lock, nextLook(), issued)) {
    lock.unlock();
    finishArrived();
    lock.lock();
  }
  issued_.wait(lock, issued);
  return std::move(ops_.front());
}

void Queue::loop() {
  backend_->attach();
  for (;;) {
    Op op = next();
    const std::size_t bytes = bytesOf(op);
    const FailurePointer failure = execute(op);
    if (backend_->downloads() > readings_.size()) {
      Reading& reading = reading_.front();
      reading.op = std::move(op);
      reading.op.reads.clear();
      reading.launched = launched_.count();
      reading.doubts = nextDoubt_;
      readings_.splice(readings_.end(), reading_);
    } else {
      end(op, failure);
    }
    finishArrived();
    const std::lock_guard lock(mutex_);
    ops_.pop_front();
    waitingOps_.store(ops_.size(), std::memory_order_release);
    waitingBytes_ -= bytes;
    // Whoever is blocked continues with room for many ops, and need not be woken for each.
    if (blocked_ > 0 && ops_.size() <= kMostOps / 2) room_.notify_all();
  }
}

void Queue::end(Op& op, const FailurePointer& failure) {
  const auto done = std::move(op.done);
  // Lets go of its buffers before the next op asks for memory, and before anybody hears of the end.
  op = Op();
  if (!done) return;
  // Here and not where the promise rejects: a `synchronize` that was issued next must not report it again.
  if (failure != nullptr) failure->observed = true;
  done(failure);
}

void Queue::finishArrived() {
  while (!readings_.empty() && finishReading(false)) {
  }
}

// The oldest download that is under way; false where it has not arrived.
bool Queue::finishReading(bool wait) {
  Reading& reading = readings_.front();
  FailurePointer failure;
  try {
    if (!backend_->arrived(wait)) return false;
    launched_.settle(reading.launched);
    settle(reading.doubts);
    if (reading.doubt != nullptr) failure = reading.doubt->failure;
  } catch (...) {
    failure = failed(reading.op);
  }
  end(reading.op, failure);
  readings_.pop_front();
  return true;
}

// All that was launched is computed, and all that was under way has arrived.
void Queue::settleAll() {
  while (!readings_.empty()) finishReading(true);
  launched_.settle(launched_.count());
  settle(nextDoubt_);
}

Kept** Queue::kept(Keeper keeper, Buffer& holder, const KeptForm::Origin& origin) {
  std::unique_ptr<KeptForm>& form = holder.kept[keeper];
  if (form == nullptr) form = std::make_unique<KeptForm>(kept_);
  return form->place(origin);
}

void Queue::allocate(Op& op) {
  for (const BufferPointer& buffer : op.writes) {
    if (buffer->data == nullptr) buffer->data = backend_->allocate(buffer->bytes);
  }
  // What is updated for the first time starts as zeros. If there is no memory for it, it stays unborn and
  // not failed, so that the next op may try again.
  for (const BufferPointer& buffer : op.updates) {
    if (buffer->data != nullptr) continue;
    buffer->data = backend_->allocate(buffer->bytes);
    backend_->fill({static_cast<std::int64_t>(buffer->bytes / sizeof(float)), 0.0f, nullptr,
                    static_cast<float*>(buffer->data)});
  }
}

// f(), and again if it found no memory and what is kept has given up some.
template <class F>
void Queue::withRoom(F f) {
  try {
    f();
  } catch (const Error& error) {
    if (std::strcmp(error.code, "ERR_OUT_OF_MEMORY") != 0 || !kept_.drop()) throw;
    f();
  }
}

void Queue::compute(Op& op) {
  for (const BufferPointer& buffer : op.reads) {
    if (buffer->data == nullptr) throw Error{"ERR_OP_FAILED", "an input was never computed"};
  }
  withRoom([&] { allocate(op); });
  // Where all results are empty there is nothing to compute, and billions of rows without columns need not
  // be walked through.
  const bool changesNothing = op.updates.empty() && !op.writes.empty() && bytesOf(op) == op.hostBytes;
  if (changesNothing) return;
  // An op that fails has changed nothing.
  op.usesUp ? op.run(*backend_) : withRoom([&] { op.run(*backend_); });
}

// What the device has found of the ops that it left open, up to so many of all.
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

// The doubt that the outputs of an op are in because its inputs are. Where the op may not run before it is
// settled, waits for that.
DoubtPointer Queue::doubtOf(const Op& op) {
  if (firstDoubt_ == nextDoubt_) return nullptr;
  DoubtPointer found;
  bool several = false, changesOthers = false;
  const auto look = [&](const BufferPointer& buffer) {
    if (buffer->doubt == nullptr || buffer->doubt->refused == nullptr) return false;
    several = several || (found != nullptr && found != buffer->doubt);
    found = buffer->doubt;
    return true;
  };
  for (const BufferPointer& buffer : op.reads) look(buffer);
  for (const BufferPointer& buffer : op.updates) changesOthers = !look(buffer) || changesOthers;
  const bool full = op.doubt != nullptr && nextDoubt_ - firstDoubt_ == kMostDoubts;
  // What makes a doubt cannot be in one, and who waits for an op without a wait has to be told.
  const bool mayBear =
      !several && op.doubt == nullptr && op.done == nullptr && (op.heedsDoubt || !changesOthers);
  if (!full && (found == nullptr || op.waits || mayBear)) return found;
  backend_->synchronize();
  settleAll();
  return nullptr;
}

// Throws where the op fails; returns the failure of an input.
FailurePointer Queue::run(Op& op) {
  DoubtPointer doubt = doubtOf(op);
  refused_ = doubt == nullptr ? nullptr : doubt->refused;
  for (const auto* inputs : {&op.reads, &op.updates}) {
    for (const BufferPointer& buffer : *inputs) {
      const FailurePointer& failure =
          buffer->failure == nullptr && buffer->doubt != nullptr ? buffer->doubt->failure : buffer->failure;
      if (failure == nullptr) continue;
      for (const BufferPointer& output : op.writes) output->failure = failure;
      return failure;
    }
  }
  for (const auto* outputs : {&op.writes, &op.updates}) {
    for (const BufferPointer& buffer : *outputs) {
      buffer->stamp = ++stamp_;
      for (const std::unique_ptr<KeptForm>& form : buffer->kept) {
        if (form != nullptr) form->drop();
      }
    }
  }
  if (op.waits && reading_.empty()) reading_.emplace_back();
  compute(op);
  if (op.waits) {
    reading_.front().doubt = doubt;
    if (backend_->downloads() > readings_.size()) return nullptr;
    settleAll();
    return doubt == nullptr ? nullptr : doubt->failure;
  }
  const std::uint64_t number = launched_.count();
  launched_.add(op.name, op.sizes);
  if (op.doubt != nullptr && op.doubt->refused != nullptr) {
    doubt = op.doubt;
    doubt->name = op.name;
    doubt->sizes = op.sizes;
    doubt->failures = op.failures;
    doubt->number = number;
    doubts_[nextDoubt_++ % kMostDoubts] = doubt;
  }
  for (const BufferPointer& output : op.writes) output->doubt = doubt;
  return nullptr;
}

FailurePointer Queue::execute(Op& op) {
  try {
    return run(op);
  } catch (...) {
    const FailurePointer failure = failed(op);
    for (const BufferPointer& output : op.writes) output->failure = failure;
    return failure;
  }
}

// The failure of an op that has thrown what is being handled.
FailurePointer Queue::failed(const Op& op) {
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
  return op.failures->add(launched_.count(), reason.code, op.name, op.sizes, reason.message,
                          lost ? &launched_ : nullptr);
}

}  // namespace packed_rnn
