#include "cpu/team.h"

#include <algorithm>

#include "cpu/flush.h"

namespace packed_rnn {

namespace {

// A short spin bridges the gaps between the phases of one op. Then the thread sleeps, because another process
// may need the core.
template <class Ready>
bool spinUntil(Ready ready) {
  for (int i = 0; i < 2000; i++) {
    if (ready()) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  return ready();
}

}  // namespace

Team::Team(int threads) {
  const int available = static_cast<int>(std::thread::hardware_concurrency());
  cores_ = std::clamp(available, 1, std::max(1, threads));
  try {
    // All members exist before the first one runs, because it reads their number.
    for (int worker = 1; worker < threads; worker++) members_.emplace_back();
    int worker = 1;
    for (Member& member : members_) {
      member.thread = std::thread([this, &member, worker] { loop(member, worker); });
      worker++;
    }
  } catch (...) {
    // The system has no more threads. The started ones are stopped: a thread that is never joined would end
    // the process.
    stop();
    throw;
  }
}

Team::~Team() { stop(); }

void Team::stop() {
  stopping_ = true;
  for (Member& member : members_) {
    if (!member.thread.joinable()) continue;
    member.call();
    member.thread.join();
  }
}

void Team::run(std::int64_t count, Task task, void* context) { start(count, false, task, context); }
void Team::runTogether(int count, Task task, void* context) { start(count, true, task, context); }

void Team::start(std::int64_t count, bool together, Task task, void* context) {
  task_ = task;
  context_ = context;
  count_ = count;
  together_ = together;
  next_.store(0, std::memory_order_relaxed);
  // More threads than cores would take the core of a working thread.
  const std::int64_t others = std::min(count, static_cast<std::int64_t>(cores_)) - 1;
  for (std::int64_t i = 0; i < others; i++) members_[static_cast<std::size_t>(i)].call();
  work(0);
  for (std::int64_t i = 0; i < others; i++) finish(members_[static_cast<std::size_t>(i)]);
}

// Cancels the call to the member, or waits for it if it is running.
void Team::finish(Member& member) const {
  // If each task has its own worker, no other worker has done it.
  if (!together_ && member.change(kCalled, kIdle)) return;
  while (!spinUntil([&] { return member.state() == kIdle; })) {
    const std::uint32_t word = member.word.load(std::memory_order_acquire);
    if ((word & kState) != kIdle) member.word.wait(word);
  }
}

void Team::work(int worker) {
  if (together_) {
    if (worker < count_) task_(context_, worker, worker);
    return;
  }
  for (std::int64_t t; (t = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
    task_(context_, t, worker);
}

void Team::loop(Member& member, int worker) {
  flushDenormals();
  for (;;) {
    // A member whose call was cancelled before it woke spins too: another call will probably come soon.
    while (!spinUntil([&] { return member.state() == kCalled; })) {
      const std::uint32_t word = member.word.load(std::memory_order_acquire);
      if ((word & kState) == kIdle) member.word.wait(word);
    }
    if (stopping_) return;
    if (!member.change(kCalled, kRunning)) continue;
    work(worker);
    member.change(kRunning, kIdle);
    member.word.notify_one();
  }
}

void Barrier::wait() {
  const std::uint32_t round = round_.load(std::memory_order_relaxed);
  if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks_) {
    waiting_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    return;
  }
  // The other workers are at most one step of a layer behind. Sleeping would take longer, unless one of them
  // has lost its core.
  while (!spinUntil([&] { return round_.load(std::memory_order_acquire) != round; }))
    std::this_thread::yield();
}

}  // namespace packed_rnn
