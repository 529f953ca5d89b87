#include "cpu/team.h"

namespace packed_rnn {

namespace {

// A short spin bridges the gaps between the phases of one op; then sleep, because a neighbour may need the
// core.
template <class Ready>
bool spinUntil(Ready ready) {
  for (int i = 0; i < 2000; i++) {
    if (ready()) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  return false;
}

}  // namespace

Team::Team(int threads) {
  try {
    for (int worker = 1; worker < threads; worker++) workers_.emplace_back([this, worker] { loop(worker); });
  } catch (...) {
    // The system gives no more threads: a thread that is never joined would end the process.
    stop();
    throw;
  }
}

Team::~Team() { stop(); }

void Team::stop() {
  stopping_ = true;
  round_.fetch_add(1);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Team::run(std::int64_t count, Task task, void* context) {
  task_ = task;
  context_ = context;
  count_ = count;
  next_.store(0, std::memory_order_relaxed);
  if (count > 1 && !workers_.empty()) {
    busy_.store(static_cast<std::int32_t>(workers_.size()), std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    work(0);
    if (!spinUntil([this] { return busy_.load(std::memory_order_acquire) == 0; })) {
      for (std::int32_t busy; (busy = busy_.load(std::memory_order_acquire)) != 0;) busy_.wait(busy);
    }
  } else {
    work(0);
  }
}

void Team::work(int worker) {
  for (std::int64_t t; (t = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
    task_(context_, t, worker);
}

void Team::loop(int worker) {
  for (std::uint32_t seen = 0;; seen++) {
    if (!spinUntil([&] { return round_.load(std::memory_order_acquire) != seen; })) {
      while (round_.load(std::memory_order_acquire) == seen) round_.wait(seen);
    }
    if (stopping_) return;
    work(worker);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_one();
  }
}

void Barrier::wait() {
  const std::uint32_t round = round_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks_) {
    waiting_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    return;
  }
  // The others are at most one step of a layer away: sleeping would take longer, unless one has lost its
  // core.
  while (!spinUntil([&] { return round_.load(std::memory_order_acquire) != round; }))
    std::this_thread::yield();
}

}  // namespace packed_rnn
