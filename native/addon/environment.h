// What belongs to one Node environment (the main thread or a worker): its promises, and the way back to its
// thread.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

class Environment {
 public:
  static void attach(Napi::Env env);
  static std::shared_ptr<Environment> of(Napi::Env env) {
    return *env.GetInstanceData<std::shared_ptr<Environment>>();
  }

  // Where calls of ops leave their numbers: of JavaScript's memory, off its heap, so that it stays where it
  // is.
  static constexpr std::size_t kMostNumbers = 64;
  const double* numbers() const { return numbers_; }
  // That memory as a Float64Array.
  Napi::Value numbersArray(Napi::Env env);

  // Issues an op, whose failure is this environment's.
  void push(Queue& queue, TaskPointer task);
  // Calls `done` when all that was issued before has run, with the first failure of this environment's ops on
  // the queue that nobody observed.
  void synchronize(Queue& queue, std::function<void(const FailurePointer&)> done);

  // Tells V8 of device memory that handles hold, so that it collects those that nobody disposed. A training
  // step makes and disposes a hundred megabytes within one turn; told of each, V8 would collect several times
  // a step. So it hears of the sum, and only when that is large.
  void report(Napi::Env env, std::int64_t bytes);

  // A promise that the device's thread settles: `settle` turns the result into a value, on the JavaScript
  // thread, or is left uncalled where there is a failure. Returns what to call, once, from any thread, also
  // after this environment is gone; that throws nothing. Node stays alive for as long as a promise is
  // pending, and no longer.
  using Settle = std::function<Napi::Value(Napi::Env)>;
  std::function<void(const FailurePointer&)> promise(Napi::Env env, Settle settle, Napi::Promise& promise);

 private:
  struct Completion {
    Napi::Promise::Deferred deferred;
    Settle settle;
    FailurePointer failure;
  };
  // Takes the one completion of a list, which was allocated with the promise: the end of an op needs no
  // memory.
  void post(std::list<Completion>& completion, const FailurePointer& failure) noexcept;
  void drain(Napi::Env env);
  static void conclude(Napi::Env env, const Completion& completion);
  void detach();
  const std::shared_ptr<Failures>& failuresOn(const Queue& queue);

  std::mutex mutex_;
  std::list<Completion> completed_;
  bool attached_ = true;
  napi_threadsafe_function wake_ = nullptr;
  // The JavaScript thread alone:
  std::map<const Queue*, std::shared_ptr<Failures>> failures_;
  double* numbers_ = nullptr;
  napi_ref numbersArray_ = nullptr;
  std::int64_t pending_ = 0;
  std::int64_t unreported_ = 0;
};

}  // namespace packed_rnn
