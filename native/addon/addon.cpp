// The addon: Node-API in front of the device queues. src/native.ts declares the types of its exports.
#include <dlfcn.h>

#include "addon/device.h"
#include "addon/distinct_ids.h"
#include "addon/environment.h"
#include "addon/napi.h"

namespace {

// Node unloads an addon with the last worker that loaded it, but the devices' threads run this code until the
// process ends. A library handle that is never closed keeps the addon loaded.
void stayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &self) != 0)
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  stayLoaded();
  packed_rnn::Environment::attach(env);
  packed_rnn::defineDevice(env, exports);
  packed_rnn::defineDistinctIds(env, exports);
  packed_rnn::defineOps(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(addon, init)
