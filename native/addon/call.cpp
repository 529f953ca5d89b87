#include "addon/call.h"

#include "addon/environment.h"

namespace packed_rnn {

namespace {

constexpr napi_type_tag kBufferTag = {0x9d1f7c6a53b84e21ull, 0x8b0e64f2a7c5d913ull};

// A buffer as JavaScript holds it.
struct Handle {
  BufferPointer buffer;                      // null once released
  std::shared_ptr<Environment> environment;  // outlives the instance data at the environment's end
};

Handle* heldBy(const Napi::Value& value) {
  if (!value.IsExternal()) throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a buffer");
  const auto external = value.As<Napi::External<Handle>>();
  if (!external.CheckTypeTag(&kBufferTag))
    throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a buffer of its own");
  return external.Data();
}

void letGo(Napi::Env env, Handle& handle) {
  if (handle.buffer == nullptr) return;
  handle.environment->report(env, -static_cast<std::int64_t>(handle.buffer->bytes));
  handle.buffer.reset();
}

bool absent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

}  // namespace

Napi::Value wrapBuffer(Napi::Env env, BufferPointer buffer) {
  std::shared_ptr<Environment> environment = Environment::of(env);
  environment->report(env, static_cast<std::int64_t>(buffer->bytes));
  const auto external = Napi::External<Handle>::New(
      env, new Handle{std::move(buffer), std::move(environment)}, [](Napi::Env env, Handle* handle) {
        letGo(env, *handle);
        delete handle;
      });
  external.TypeTag(&kBufferTag);
  return external;
}

BufferPointer unwrapBuffer(const Napi::Value& value) {
  const Handle* handle = heldBy(value);
  if (handle->buffer == nullptr) throw Napi::Error::New(value.Env(), "packed-rnn: the buffer was released");
  return handle->buffer;
}

void releaseBuffer(const Napi::Value& value) { letGo(value.Env(), *heldBy(value)); }

void renewBuffer(const Napi::Value& value, BufferPointer buffer) {
  Handle& handle = *heldBy(value);
  if (handle.buffer != nullptr) throw Napi::Error::New(value.Env(), "packed-rnn: the buffer is in use");
  handle.environment->report(value.Env(), static_cast<std::int64_t>(buffer->bytes));
  handle.buffer = std::move(buffer);
}

Call::Call(const char* op, const Napi::Value& arguments) : arguments_(arguments.As<Napi::Object>()) {
  op_.name = op;
}

Argument Call::take(const char* name, std::vector<BufferPointer>& list) {
  const Napi::Value value = get(name);
  if (absent(value)) return Argument();
  list.push_back(unwrapBuffer(value));
  return Argument(list.back());
}

std::vector<Argument> Call::takeAll(const char* name, std::vector<BufferPointer>& list, bool optional) {
  std::vector<Argument> taken;
  const Napi::Value value = get(name);
  if (absent(value)) return taken;
  const auto array = value.As<Napi::Array>();
  const std::uint32_t length = array.Length();
  taken.reserve(length);
  for (std::uint32_t i = 0; i < length; i++) {
    const Napi::Value element = array.Get(i);
    if (optional && absent(element)) {
      taken.emplace_back();
      continue;
    }
    list.push_back(unwrapBuffer(element));
    taken.emplace_back(list.back());
  }
  return taken;
}

std::int64_t Call::integer(const char* name) {
  const std::int64_t value = get(name).As<Napi::Number>().Int64Value();
  op_.sizes.add(name, value);
  return value;
}

bool Call::has(const char* name) const { return !absent(get(name)); }

std::vector<std::int32_t> Call::integers32(const char* name) {
  const Napi::Value value = get(name);
  if (absent(value)) return {};
  const auto array = value.As<Napi::Int32Array>();
  op_.hostBytes += array.ByteLength();
  return {array.Data(), array.Data() + array.ElementLength()};
}

void Call::submit(Queue& queue, std::function<void(Backend&)> run) {
  op_.run = std::move(run);
  Environment::of(arguments_.Env())->push(queue, std::move(op_));
}

}  // namespace packed_rnn
