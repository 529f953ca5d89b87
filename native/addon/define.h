// A family of ops as functions of the addon.
#pragma once

#include "addon/bind.h"

namespace packed_rnn {

template <class Family>
void defineFamily(Napi::Env env, Napi::Object raw) {
  Environment* const environment = Environment::of(env).get();  // lives as long as its functions
  Family::each([&]<class O> {
    napi_value function = nullptr;
    napi_create_function(env, O::name, NAPI_AUTO_LENGTH, callOp<O>, environment, &function);
    raw.Set(O::name, Napi::Value(env, function));
  });
}

}  // namespace packed_rnn
