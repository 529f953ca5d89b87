// Buffers as JavaScript sees them: opaque objects.
#pragma once

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

class Environment;

struct Handle {
  BufferPointer buffer;                      // null before the buffer is created and after it is released
  std::shared_ptr<Environment> environment;  // outlives the instance data when the environment ends
};

// Returns null for any other value.
Handle* handleOf(napi_env env, napi_value value);
// Sets the buffer of a handle without one.
void bear(napi_env env, Handle& handle, BufferPointer buffer);
// Releases the buffer before the garbage collector would. Calling it again does nothing.
void letGo(napi_env env, Handle& handle);
Napi::Value newHandle(Napi::Env env, BufferPointer buffer);
// @throws TypeError if the value is not a handle, Error if the handle has no buffer.
BufferPointer unwrapBuffer(const Napi::Value& value);

}  // namespace packed_rnn
