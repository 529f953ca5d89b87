// Buffers as JavaScript holds them: opaque objects.
#pragma once

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

class Environment;

struct Handle {
  BufferPointer buffer;                      // null before it is born and once it is released
  std::shared_ptr<Environment> environment;  // outlives the instance data at the environment's end
};

// Null for anything else.
Handle* handleOf(napi_env env, napi_value value);
// Memory for a handle that has none.
void bear(napi_env env, Handle& handle, BufferPointer buffer);
// Lets go of the buffer before the garbage collector would. Harmless twice.
void letGo(napi_env env, Handle& handle);
Napi::Value newHandle(Napi::Env env, BufferPointer buffer);
// @throws TypeError for what is no handle, Error for one without a buffer.
BufferPointer unwrapBuffer(const Napi::Value& value);

}  // namespace packed_rnn
