// A device as an ordered queue: one thread that runs ops in the order in which they were issued.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "addon/task.h"

namespace packed_rnn {

class Queue {
 public:
  explicit Queue(std::unique_ptr<Backend> backend);

  // Blocks while more than kMostBytes bytes are waiting, this task's included.
  void push(TaskPointer task);
  // Calls `done` when all earlier tasks have run, with the first unobserved failure of `failures`.
  void synchronize(std::shared_ptr<Failures> failures, std::function<void(const FailurePointer&)> done);
  Backend& backend() { return *backend_; }
  // Where the device will report whether the op's inputs failed, if this is undecided. Only for `run`.
  const std::int32_t* refused() const { return refused_; }
  // Where an op keeps what it derives from its weights: with `holder`, one of them. Null if it should not
  // keep it. Only for `run`.
  Kept** kept(std::size_t keeper, Buffer& holder, const KeptForm::Origin& origin);

  // Counts results that are not computed yet, host memory of ops, and the ops themselves.
  static constexpr std::size_t kMostBytes = std::size_t{4} << 30;

 private:
  struct Waiting {
    TaskPointer task;
    std::size_t bytes;
  };
  // A download in progress. Its source may be freed: the next owner of that memory launches after it.
  struct Reading {
    TaskPointer task;
    DoubtPointer doubt;                      // of its source
    std::uint64_t launched = 0, doubts = 0;  // before the download
  };

  void loop();
  void take();
  void runTaken();
  void spinUntilIssued();
  void end(TaskPointer task, const FailurePointer& failure);
  void finishArrived();
  bool finishReading(bool wait);
  FailurePointer execute(Task& task);
  FailurePointer run(Task& task);
  FailurePointer failed(const Task& task);
  DoubtPointer doubtOf(Task& task);
  void settle(std::uint64_t doubts);
  void settleAll();
  void allocate(Task& task);
  void compute(Task& task);
  template <class F>
  void withRoom(F f);

  std::unique_ptr<Backend> backend_;
  KeptForms kept_;
  std::uint64_t stamp_ = 0;  // only the device's thread
  std::mutex mutex_;
  std::condition_variable issued_, room_;
  std::deque<Waiting> issuedTasks_;
  std::atomic<bool> anyIssued_ = false;  // for readers without the mutex
  bool asleep_ = false;                  // of the device's thread
  std::atomic<std::size_t> waitingBytes_ = 0;
  std::atomic<int> blocked_ = 0;  // calls that wait for room
  // only the device's thread
  std::deque<Waiting> taken_;
  LaunchedOps launched_;
  const std::int32_t* refused_ = nullptr;
  std::array<DoubtPointer, kMostDoubts> doubts_;  // number n is at n % kMostDoubts
  std::uint64_t firstDoubt_ = 0, nextDoubt_ = 0;  // the undecided ones
  std::list<Reading> readings_;                   // one for each download in progress
  std::list<Reading> reading_;                    // preallocated for the next download
};

}  // namespace packed_rnn
