// How an op becomes a function of the addon.
#pragma once

#include "addon/call.h"
#include "addon/device.h"

namespace packed_rnn {

// exports[name] = (device, arguments) => op
template <void (*op)(Queue&, Call&)>
void define(Napi::Env env, Napi::Object exports, const char* name) {
  const auto callback = [](const Napi::CallbackInfo& info) {
    Call call(static_cast<const char*>(info.Data()), info[1]);
    op(queueOf(info[0]), call);
  };
  exports.Set(name, Napi::Function::New(env, callback, name, const_cast<char*>(name)));
}

}  // namespace packed_rnn
