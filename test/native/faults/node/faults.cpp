// An addon with planted faults, which the tools that watch the real addon must find.
#include <napi.h>

#include <thread>
#include <vector>

namespace {

// Reads one float past a heap buffer.
Napi::Value overrun(const Napi::CallbackInfo& info) {
  const std::vector<float> buffer(info[0].As<Napi::Number>().Uint32Value(), 1.0f);
  return Napi::Number::New(info.Env(), buffer.data()[buffer.size()]);
}

Napi::Value overflow(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), info[0].As<Napi::Number>().Int32Value() + 1);
}

// Two threads increment the same counter.
Napi::Value race(const Napi::CallbackInfo& info) {
  int count = 0;
  const auto work = [&] {
    for (int i = 0; i < 1000; i++) count++;
  };
  std::thread other(work);
  work();
  other.join();
  return Napi::Number::New(info.Env(), count);
}

Napi::Object open(Napi::Env env, Napi::Object exports) {
  exports["overrun"] = Napi::Function::New(env, overrun);
  exports["overflow"] = Napi::Function::New(env, overflow);
  exports["race"] = Napi::Function::New(env, race);
  return exports;
}

NODE_API_MODULE(faults, open)

}  // namespace
