// A fixed team of worker threads. The calling thread is one of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>

namespace packed_rnn {

class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(members_.size()) + 1; }
  // How many members compute at once: at most the number of the machine's cores.
  int cores() const { return cores_; }

  using Task = void (*)(void* context, std::int64_t task, int worker);
  // Calls task(context, t, worker) for each t below `count`, each once, in any order, on any worker. Returns
  // when all calls have returned. Uses at most as many workers as there are tasks or cores. Tasks must not
  // throw. Results must not depend on which worker computes a task; then they do not depend on the number of
  // threads either.
  void run(std::int64_t count, Task task, void* context);
  // The same for tasks that wait for each other: at most cores() of them, with task t on worker t.
  void runTogether(int count, Task task, void* context);

 private:
  // Each member waits for its own word in its own cache line, so a member with nothing to do is not woken. If
  // a member has not started when all tasks are taken, its call is cancelled and no thread waits for it. The
  // word counts calls above its state, so a member that wakes too late sees that there was a call.
  enum State : std::uint32_t { kIdle, kCalled, kRunning };
  static constexpr std::uint32_t kState = 3, kCall = 4;
  struct alignas(64) Member {
    std::atomic<std::uint32_t> word{kIdle};
    std::thread thread;
    State state() const { return static_cast<State>(word.load(std::memory_order_acquire) & kState); }
    void call() {
      // Sequentially consistent here and below, because a notification must not be visible before the word.
      word.store(((word.load(std::memory_order_relaxed) & ~kState) + kCall) | kCalled);
      word.notify_one();
    }
    bool change(State from, State to) {
      std::uint32_t now = word.load(std::memory_order_relaxed);
      return (now & kState) == from && word.compare_exchange_strong(now, (now & ~kState) | to);
    }
  };

  void start(std::int64_t count, bool together, Task task, void* context);
  void stop();
  void work(int worker);
  void loop(Member& member, int worker);
  void finish(Member& member) const;

  std::deque<Member> members_;  // worker i + 1; a member never moves
  int cores_ = 1;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::int64_t count_ = 0;
  bool together_ = false;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> stopping_{false};
};

// A point where the tasks of Team::runTogether wait for each other.
class Barrier {
 public:
  explicit Barrier(int tasks) : tasks_(tasks) {}
  void wait();

 private:
  const std::int32_t tasks_;
  std::atomic<std::int32_t> waiting_{0};
  std::atomic<std::uint32_t> round_{0};
};

}  // namespace packed_rnn
