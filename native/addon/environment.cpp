#include "addon/environment.h"

#include <utility>

namespace packed_rnn {

void Environment::attach(Napi::Env env) {
  auto environment = std::make_shared<Environment>();
  const auto call = [](napi_env raw, napi_value, void* context, void*) {
    if (raw == nullptr) return;  // the environment is closing
    const Napi::Env env(raw);
    const Napi::HandleScope scope(env);
    static_cast<Environment*>(context)->drain(env);
  };
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "packed-rnn"), 0, 1,
                                      nullptr, nullptr, environment.get(), call, &environment->wake_);
  if (status != napi_ok) throw Napi::Error::New(env, "packed-rnn: no thread-safe function");
  napi_unref_threadsafe_function(env, environment->wake_);
  // Hooks run in reverse order: this one runs before the thread-safe function's own hook.
  env.AddCleanupHook([environment] { environment->detach(); });
  env.SetInstanceData(new std::shared_ptr<Environment>(std::move(environment)));
}

Napi::Value Environment::numbersArray(Napi::Env env) {
  napi_value array = nullptr;
  if (numbersArray_ == nullptr) {
    Napi::Float64Array made = Napi::Float64Array::New(env, kMostNumbers);
    numbers_ = made.Data();
    napi_create_reference(env, made, 1, &numbersArray_);
  }
  napi_get_reference_value(env, numbersArray_, &array);
  return Napi::Value(env, array);
}

void Environment::push(Queue& queue, TaskPointer task) {
  task->failures = failuresOn(queue);
  queue.push(std::move(task));
}

void Environment::synchronize(Queue& queue, std::function<void(const FailurePointer&)> done) {
  queue.synchronize(failuresOn(queue), std::move(done));
}

const std::shared_ptr<Failures>& Environment::failuresOn(const Queue& queue) {
  std::shared_ptr<Failures>& failures = failures_[&queue];
  if (failures == nullptr) failures = std::make_shared<Failures>();
  return failures;
}

void Environment::report(Napi::Env env, std::int64_t bytes) {
  constexpr std::int64_t kLarge = std::int64_t{256} << 20;
  unreported_ += bytes;
  if (unreported_ > -kLarge && unreported_ < kLarge) return;
  Napi::MemoryManagement::AdjustExternalMemory(env, unreported_);
  unreported_ = 0;
}

std::function<void(const FailurePointer&)> Environment::promise(Napi::Env env, Settle settle,
                                                                Napi::Promise& promise) {
  const auto completion = std::make_shared<std::list<Completion>>();
  completion->push_back({Napi::Promise::Deferred(env), std::move(settle), nullptr});
  promise = completion->front().deferred.Promise();
  if (pending_++ == 0) napi_ref_threadsafe_function(env, wake_);
  // The shared pointer keeps the mutex alive if a device finishes after the environment ends.
  const std::shared_ptr<Environment> self = of(env);
  return [self, completion](const FailurePointer& failure) { self->post(*completion, failure); };
}

void Environment::post(std::list<Completion>& completion, const FailurePointer& failure) noexcept {
  const std::lock_guard lock(mutex_);
  if (!attached_) return;
  completion.front().failure = failure;
  completed_.splice(completed_.end(), completion);
  napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
}

void Environment::drain(Napi::Env env) {
  std::list<Completion> completed;
  {
    const std::lock_guard lock(mutex_);
    completed.swap(completed_);
  }
  for (const Completion& completion : completed) {
    if (--pending_ == 0) napi_unref_threadsafe_function(env, wake_);
    try {
      conclude(env, completion);
    } catch (const Napi::Error&) {
      // This worker is being terminated and runs no more JavaScript, so no code awaits the promise.
    }
  }
}

void Environment::conclude(Napi::Env env, const Completion& completion) {
  if (completion.failure != nullptr) {
    Napi::Error error = Napi::Error::New(env, completion.failure->message);
    error.Set("code", completion.failure->code);
    completion.deferred.Reject(error.Value());
    return;
  }
  Napi::Value value;
  try {
    value = completion.settle(env);
  } catch (const Napi::Error& error) {
    completion.deferred.Reject(error.Value());
    return;
  }
  completion.deferred.Resolve(value);
}

void Environment::detach() {
  const std::lock_guard lock(mutex_);
  attached_ = false;
  completed_.clear();
}

}  // namespace packed_rnn
