// The state of one Node environment (the main thread or a worker): its promises, and the way back to its
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

  // Where calls of ops leave their numbers. The memory belongs to JavaScript but is outside its heap, so it
  // does not move.
  static constexpr std::size_t kMostNumbers = 64;
  const double* numbers() const { return numbers_; }
  // The same memory as a Float64Array.
  Napi::Value numbersArray(Napi::Env env);

  // Issues an op. If it fails, the failure belongs to this environment.
  void push(Queue& queue, TaskPointer task);
  // Calls `done` when all earlier ops have run, with the first unobserved failure of this environment's ops
  // on the queue.
  void synchronize(Queue& queue, std::function<void(const FailurePointer&)> done);

  // Reports device memory that handles hold to V8, so that V8 collects handles that were not disposed. A
  // training step allocates and disposes a hundred megabytes within one turn; if V8 were informed of each
  // change, it would collect several times a step. So this reports the sum, and only when it is large.
  void report(Napi::Env env, std::int64_t bytes);

  // A promise that the device's thread settles. `settle` turns the result into a value on the JavaScript
  // thread; it is not called after a failure. Returns a function to call once, from any thread, even after
  // this environment has ended. That function does not throw. Node stays alive exactly as long as a promise
  // is pending.
  using Settle = std::function<Napi::Value(Napi::Env)>;
  std::function<void(const FailurePointer&)> promise(Napi::Env env, Settle settle, Napi::Promise& promise);

 private:
  struct Completion {
    Napi::Promise::Deferred deferred;
    Settle settle;
    FailurePointer failure;
  };
  // Takes the single completion of a list that was allocated with the promise, so the end of an op allocates
  // nothing.
  void post(std::list<Completion>& completion, const FailurePointer& failure) noexcept;
  void drain(Napi::Env env);
  static void conclude(Napi::Env env, const Completion& completion);
  void detach();
  const std::shared_ptr<Failures>& failuresOn(const Queue& queue);

  std::mutex mutex_;
  std::list<Completion> completed_;
  bool attached_ = true;
  napi_threadsafe_function wake_ = nullptr;
  // Only used on the JavaScript thread:
  std::map<const Queue*, std::shared_ptr<Failures>> failures_;
  double* numbers_ = nullptr;
  napi_ref numbersArray_ = nullptr;
  std::int64_t pending_ = 0;
  std::int64_t unreported_ = 0;
};

}  // namespace packed_rnn
