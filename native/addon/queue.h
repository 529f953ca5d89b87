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

#include "addon/failures.h"
#include "addon/kept.h"

namespace packed_rnn {

// The ops that keep what they make of weights.
enum Keeper { kMatmul, kRecurrentForward, kRecurrentBackward, kKeepers };

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

struct Op {
  const char* name = "";
  Sizes sizes;
  std::vector<BufferPointer> reads;    // a failed one fails the op
  std::vector<BufferPointer> writes;   // allocated before the op runs, failed with it
  std::vector<BufferPointer> updates;  // read and written in place: an op that fails leaves them as they
                                       // were; zeros the first time
  std::size_t hostBytes = 0;           // held by the op itself
  std::shared_ptr<Failures> failures;  // of who issued the op; never null
  bool waits = false;                  // all before it is computed when it is over
  bool usesUp = false;                 // it changes what it updates even if it fails, and cannot run again
  bool heedsDoubt = false;             // it changes nothing where the device finds that a gradient failed
  DoubtPointer doubt;                  // optional: it may turn out later that the op failed
  std::function<void(Backend&)> run;
  // Optional. Gets null where the op succeeded. Called on the device's thread, and throws nothing.
  std::function<void(const FailurePointer&)> done;
};

class Queue {
 public:
  explicit Queue(std::unique_ptr<Backend> backend);

  // Blocks while kMostOps ops or kMostBytes bytes are ahead of this one.
  void push(Op op);
  // Calls `done` when all that was pushed before has run, with the first of `failures` that nobody observed.
  void synchronize(std::shared_ptr<Failures> failures, std::function<void(const FailurePointer&)> done);
  Backend& backend() { return *backend_; }
  // Where it will stand whether what the op reads failed, if that is open. For `run` alone.
  const std::int32_t* refused() const { return refused_; }
  // Where an op keeps what it makes of its weights: beside `holder`, one of them. Null if it should not keep
  // it. For `run` alone.
  Kept** kept(Keeper keeper, Buffer& holder, const KeptForm::Origin& origin);

  static constexpr std::size_t kMostOps = 1 << 15;
  static constexpr std::size_t kMostBytes = std::size_t{4} << 30;

 private:
  // A download that is under way. Its source may go: whoever gets that memory launches behind it.
  struct Reading {
    Op op;
    DoubtPointer doubt;                      // of what it reads
    std::uint64_t launched = 0, doubts = 0;  // before it
  };

  void loop();
  Op next();
  void spinUntilIssued();
  void end(Op& op, const FailurePointer& failure);
  void finishArrived();
  bool finishReading(bool wait);
  FailurePointer execute(Op& op);
  FailurePointer run(Op& op);
  FailurePointer failed(const Op& op);
  DoubtPointer doubtOf(const Op& op);
  void settle(std::uint64_t doubts);
  void settleAll();
  void allocate(Op& op);
  void compute(Op& op);
  template <class F>
  void withRoom(F f);

  std::unique_ptr<Backend> backend_;
  KeptForms kept_;
  std::uint64_t stamp_ = 0;  // the device's thread alone
  std::mutex mutex_;
  std::condition_variable issued_, room_;
  std::deque<Op> ops_;
  std::atomic<std::size_t> waitingOps_ = 0;  // ops_.size(), for readers without the mutex
  std::size_t waitingBytes_ = 0;
  int blocked_ = 0;  // calls that wait for room
  // the device's thread alone
  LaunchedOps launched_;
  const std::int32_t* refused_ = nullptr;
  std::array<DoubtPointer, kMostDoubts> doubts_;  // that numbered n at n % kMostDoubts
  std::uint64_t firstDoubt_ = 0, nextDoubt_ = 0;  // those that are open
  std::list<Reading> readings_;                   // as many as the backend has downloads under way
  std::list<Reading> reading_;                    // memory for the next one, which then needs none
};

}  // namespace packed_rnn
