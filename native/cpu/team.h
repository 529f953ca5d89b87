// A fixed team of worker threads. The calling thread is one of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace packed_rnn {

class Team {
 public:
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  using Task = void (*)(void* context, std::int64_t task, int worker);
  // Calls task(context, t, worker) for each t below `count`, each once, in any order, on any worker; returns
  // when all have returned. Tasks must not throw. Results must not depend on who computed what: then they do
  // not depend on the number of threads either.
  void run(std::int64_t count, Task task, void* context);

 private:
  void stop();
  void work(int worker);
  void loop(int worker);

  std::vector<std::thread> workers_;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::int64_t count_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint32_t> round_{0};
  std::atomic<std::int32_t> busy_{0};
  std::atomic<bool> stopping_{false};
};

// Where the tasks of a run of as many tasks as workers wait for each other: each is then on a worker of its
// own.
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
