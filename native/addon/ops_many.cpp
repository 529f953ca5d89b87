// The ops with many arguments as functions.
#include "addon/define.h"

namespace packed_rnn {

void defineManyOps(Napi::Env env, Napi::Object raw);
void defineManyOps(Napi::Env env, Napi::Object raw) { defineFamily<ManyOps>(env, raw); }

}  // namespace packed_rnn
