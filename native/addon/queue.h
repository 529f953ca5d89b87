// A device as an ordered queue: one thread, which runs ops in the order in which they were issued.
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

  // Blocks while kMostBytes bytes are ahead of this one.
  void push(TaskPointer task);
  // Calls `done` when all that was pushed before has run, with the first of `failures` that nobody observed.
  void synchronize(std::shared_ptr<Failures> failures, std::function<void(const FailurePointer&)> done);
  Backend& backend() { return *backend_; }
  // Where it will stand whether what the op reads failed, if that is open. For `run` alone.
  const std::int32_t* refused() const { return refused_; }
  // Where an op keeps what it makes of its weights: beside `holder`, one of them. Null if it should not keep
  // it. For `run` alone.
  Kept** kept(std::size_t keeper, Buffer& holder, const KeptForm::Origin& origin);

  // Of results that are not computed yet, of what ops hold on the host, and of the ops themselves.
  static constexpr std::size_t kMostBytes = std::size_t{4} << 30;

 private:
  struct Waiting {
    TaskPointer task;
    std::size_t bytes;
  };
  // A download that is under way. Its source may go: whoever gets that memory launches behind it.
  struct Reading {
    TaskPointer task;
    DoubtPointer doubt;                      // of what it reads
    std::uint64_t launched = 0, doubts = 0;  // before it
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
  std::uint64_t stamp_ = 0;  // the device's thread alone
  std::mutex mutex_;
  std::condition_variable issued_, room_;
  std::deque<Waiting> issuedTasks_;
  std::atomic<bool> anyIssued_ = false;  // for readers without the mutex
  bool asleep_ = false;                  // the device's thread
  std::atomic<std::size_t> waitingBytes_ = 0;
  std::atomic<int> blocked_ = 0;  // calls that wait for room
  // the device's thread alone
  std::deque<Waiting> taken_;
  LaunchedOps launched_;
  const std::int32_t* refused_ = nullptr;
  std::array<DoubtPointer, kMostDoubts> doubts_;  // that numbered n at n % kMostDoubts
  std::uint64_t firstDoubt_ = 0, nextDoubt_ = 0;  // those that are open
  std::list<Reading> readings_;                   // as many as the backend has downloads under way
  std::list<Reading> reading_;                    // memory for the next one, which then needs none
};

}  // namespace packed_rnn
