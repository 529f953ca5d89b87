// The addon: Node-API in front of the device queues. src/native.ts types what is exported here.
#include <napi.h>

#include "addon/device.h"
#include "addon/environment.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  packed_rnn::Environment::attach(env);
  packed_rnn::defineDevice(env, exports);
  packed_rnn::defineOps(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(addon, init)
