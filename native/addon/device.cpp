#include "addon/device.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <tuple>

#include "addon/call.h"
#include "addon/environment.h"
#include "cpu/cpu_backend.h"

namespace packed_rnn {

namespace {

constexpr napi_type_tag kDeviceTag = {0x51c8e2b7d04f4a69ull, 0xa3f9167c2e8b5d40ull};

struct Device {
  Queue queue;
  std::string instructions;
  int threads;
};

Napi::Error unavailable(Napi::Env env, const Error& error) {
  Napi::Error thrown = Napi::Error::New(env, error.message);
  thrown.Set("code", error.code);
  return thrown;
}

// A device is its options: who asks for the same gets the same queue, from any thread of the process.
Device& openCpu(Napi::Env env, int threads, std::size_t memoryLimit) {
  // Never destroyed: a queue may still be running when the process exits.
  static auto& mutex = *new std::mutex;
  static auto& devices = *new std::map<std::tuple<int, std::size_t>, Device*>;
  const std::lock_guard lock(mutex);
  Device*& device = devices[{threads, memoryLimit}];
  if (device == nullptr) {
    try {
      const CpuCandidate& candidate = chooseCpu(std::getenv("PACKED_RNN_CPU"));
      device = new Device{Queue(std::unique_ptr<Backend>(candidate.open({threads, memoryLimit}))),
                          candidate.name, threads};
    } catch (const Error& error) {
      throw unavailable(env, error);
    }
  }
  return *device;
}

Device& deviceOf(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<Device>>().CheckTypeTag(&kDeviceTag)) {
    throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a device");
  }
  return *value.As<Napi::External<Device>>().Data();
}

Napi::Value openDevice(const Napi::CallbackInfo& info) {
  const int threads = info[0].As<Napi::Number>().Int32Value();
  const auto memoryLimit = static_cast<std::size_t>(info[1].As<Napi::Number>().Int64Value());
  const auto external = Napi::External<Device>::New(info.Env(), &openCpu(info.Env(), threads, memoryLimit));
  external.TypeTag(&kDeviceTag);
  return external;
}

Napi::Value deviceInfo(const Napi::CallbackInfo& info) {
  const Device& device = deviceOf(info[0]);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("instructions", device.instructions);
  result.Set("threads", device.threads);
  return result;
}

// instructionSets(): those that this CPU supports, the best first
Napi::Value instructionSets(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (int i = 0; i < kCpuCandidateCount; ++i) {
    if (kCpuCandidates[i].supported()) names.Set(names.Length(), kCpuCandidates[i].name);
  }
  return names;
}

Napi::Value deviceMemory(const Napi::CallbackInfo& info) {
  const MemoryUse use = queueOf(info[0]).backend().memory();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("held", static_cast<double>(use.held));
  result.Set("cached", static_cast<double>(use.cached));
  return result;
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  Napi::Promise promise(info.Env(), nullptr);
  queueOf(info[0]).synchronize(Environment::of(info.Env())
                                   ->promise(
                                       info.Env(), [](Napi::Env env) { return env.Undefined(); }, promise));
  return promise;
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<std::size_t>(info[1].As<Napi::Number>().Int64Value());
  return wrapBuffer(info.Env(), std::make_shared<Buffer>(queueOf(info[0]).backend(), bytes));
}

// Copies a typed array at once, so that the caller may change it, and to the device when its turn comes.
Napi::Value upload(const Napi::CallbackInfo& info) {
  Queue& queue = queueOf(info[0]);
  const auto array = info[1].As<Napi::Uint8Array>();  // the bytes of any typed array, also of shared memory
  auto host = std::make_shared<std::vector<std::uint8_t>>(array.Data(), array.Data() + array.ByteLength());
  auto buffer = std::make_shared<Buffer>(queue.backend(), host->size());
  Op op;
  op.name = "tensor";
  op.shapes = std::to_string(host->size()) + " bytes";
  op.writes = {buffer};
  op.hostBytes = host->size();
  Buffer* target = buffer.get();
  op.run = [host, target](Backend& backend) {
    if (!host->empty()) backend.upload(target->data, host->data(), host->size());
  };
  queue.push(std::move(op));
  return wrapBuffer(info.Env(), std::move(buffer));
}

// download(device, buffer, isInteger): a promise of a Float32Array or an Int32Array
Napi::Value download(const Napi::CallbackInfo& info) {
  Queue& queue = queueOf(info[0]);
  const BufferPointer buffer = unwrapBuffer(info[1]);
  const bool integers = info[2].ToBoolean();
  auto host = std::make_shared<std::vector<std::uint8_t>>();
  Napi::Promise promise(info.Env(), nullptr);
  Op op;
  op.name = "toArray";
  op.reads = {buffer};
  Buffer* source = buffer.get();
  op.run = [host, source](Backend& backend) {
    host->resize(source->bytes);
    if (!host->empty()) backend.download(host->data(), source->data, source->bytes);
  };
  const auto settle = [host, integers](Napi::Env env) -> Napi::Value {
    auto memory = Napi::ArrayBuffer::New(env, host->size());
    if (!host->empty()) std::memcpy(memory.Data(), host->data(), host->size());
    if (integers) return Napi::Int32Array::New(env, host->size() / 4, memory, 0);
    return Napi::Float32Array::New(env, host->size() / 4, memory, 0);
  };
  op.done = Environment::of(info.Env())->promise(info.Env(), settle, promise);
  queue.push(std::move(op));
  return promise;
}

void release(const Napi::CallbackInfo& info) { releaseBuffer(info[0]); }

}  // namespace

Queue& queueOf(const Napi::Value& device) { return deviceOf(device).queue; }

void defineDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("openDevice", Napi::Function::New(env, openDevice, "openDevice"));
  exports.Set("instructionSets", Napi::Function::New(env, instructionSets, "instructionSets"));
  exports.Set("deviceInfo", Napi::Function::New(env, deviceInfo, "deviceInfo"));
  exports.Set("deviceMemory", Napi::Function::New(env, deviceMemory, "deviceMemory"));
  exports.Set("synchronize", Napi::Function::New(env, synchronize, "synchronize"));
  exports.Set("allocate", Napi::Function::New(env, allocate, "allocate"));
  exports.Set("upload", Napi::Function::New(env, upload, "upload"));
  exports.Set("download", Napi::Function::New(env, download, "download"));
  exports.Set("release", Napi::Function::New(env, release, "release"));
}

}  // namespace packed_rnn
