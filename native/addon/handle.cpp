#include "addon/handle.h"

#include "addon/environment.h"

namespace packed_rnn {

namespace {
constexpr napi_type_tag kBufferTag = {0x9d1f7c6a53b84e21ull, 0x8b0e64f2a7c5d913ull};
}  // namespace

Handle* handleOf(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) != napi_ok || type != napi_external) return nullptr;
  bool ours = false;
  if (napi_check_object_type_tag(env, value, &kBufferTag, &ours) != napi_ok || !ours) return nullptr;
  void* data = nullptr;
  return napi_get_value_external(env, value, &data) == napi_ok ? static_cast<Handle*>(data) : nullptr;
}

void bear(napi_env env, Handle& handle, BufferPointer buffer) {
  handle.environment->report(env, static_cast<std::int64_t>(buffer->bytes));
  handle.buffer = std::move(buffer);
}

void letGo(napi_env env, Handle& handle) {
  if (handle.buffer == nullptr) return;
  handle.environment->report(env, -static_cast<std::int64_t>(handle.buffer->bytes));
  handle.buffer.reset();
}

Napi::Value newHandle(Napi::Env env, BufferPointer buffer) {
  auto handle = std::make_unique<Handle>(Handle{nullptr, Environment::of(env)});
  if (buffer != nullptr) bear(env, *handle, std::move(buffer));
  const auto external = Napi::External<Handle>::New(env, handle.release(), [](Napi::Env env, Handle* handle) {
    letGo(env, *handle);
    delete handle;
  });
  external.TypeTag(&kBufferTag);
  return external;
}

BufferPointer unwrapBuffer(const Napi::Value& value) {
  const Handle* handle = handleOf(value.Env(), value);
  if (handle == nullptr) throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a buffer");
  if (handle->buffer == nullptr) throw Napi::Error::New(value.Env(), "packed-rnn: the buffer was released");
  return handle->buffer;
}

}  // namespace packed_rnn
