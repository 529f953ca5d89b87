// The ops of native/ops as functions, except those of ops_many.cpp: each takes long to compile.
#include "addon/define.h"
#include "addon/device.h"
#include "ops/contract.h"

namespace packed_rnn {

void defineManyOps(Napi::Env env, Napi::Object raw);

void defineOps(Napi::Env env, Napi::Object exports) {
  Napi::Object raw = Napi::Object::New(env);
  defineFamily<FewOps>(env, raw);
  defineManyOps(env, raw);
  exports.Set("raw", raw);
  exports.Set("numbers", Environment::of(env)->numbersArray(env));
  exports.Set("contract", Napi::Number::New(env, contractNumber()));
}

}  // namespace packed_rnn
