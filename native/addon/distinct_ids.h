#pragma once

#include "addon/napi.h"

namespace packed_rnn {

void defineDistinctIds(Napi::Env env, Napi::Object exports);

}  // namespace packed_rnn
