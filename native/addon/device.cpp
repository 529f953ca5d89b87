#include "addon/device.h"

#include <compare>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string_view>

#include "addon/cuda_library.h"
#include "addon/environment.h"
#include "addon/handle.h"
#include "cpu/cpu_backend.h"

namespace packed_rnn {

namespace {

constexpr napi_type_tag kDeviceTag = {0x51c8e2b7d04f4a69ull, 0xa3f9167c2e8b5d40ull};
constexpr napi_type_tag kMarkTag = {0x7be2049d31f84c5aull, 0x92d06ea1c4738bf5ull};

struct Device {
  Queue queue;
  std::string instructions;
  std::string hardware;
  CpuCeilings (*measure)(Backend&);  // null on CUDA
};

// A device is identified by its options. A device of one kind keeps the other kind's options at these
// defaults.
struct DeviceKey {
  bool cuda = false;
  int ordinal = 0;
  Precision precision = Precision::float32;
  bool stepwise = false;
  int threads = 0;
  std::size_t memoryLimit = 0;
  auto operator<=>(const DeviceKey&) const = default;
};

Device* openCpu(const DeviceKey& key) {
  const CpuCandidate& candidate = chooseCpu(std::getenv("PACKED_RNN_CPU"), key.precision);
  return new Device{Queue(std::unique_ptr<Backend>(candidate.open({key.threads, key.memoryLimit}))),
                    candidate.name, "", candidate.measure};
}

Device* openCuda(const DeviceKey& key) {
  Library& library = cudaLibrary();
  const int last = library.count() - 1;
  if (key.ordinal > last) {
    const std::string wanted = last == 0 ? "cuda:0" : "cuda:0 to cuda:" + std::to_string(last);
    throw Unavailable{"ERR_OUT_OF_RANGE",
                      "device: wanted " + wanted + ", got cuda:" + std::to_string(key.ordinal)};
  }
  const DeviceDescription found = library.describe(key.ordinal);
  std::unique_ptr<Backend> backend(library.open({key.ordinal, key.precision, key.stepwise, key.memoryLimit}));
  return new Device{Queue(std::move(backend)),
                    "sm_" + std::to_string(found.major) + std::to_string(found.minor), found.name, nullptr};
}

// Requests with equal options return the same queue, on any thread of the process.
Device& openOnce(const DeviceKey& key) {
  // Never destroyed: a queue may still be running when the process exits.
  static auto& mutex = *new std::mutex;
  static auto& devices = *new std::map<DeviceKey, Device*>;
  const std::lock_guard lock(mutex);
  Device*& device = devices[key];
  if (device == nullptr) device = key.cuda ? openCuda(key) : openCpu(key);
  return *device;
}

// Calls f(). Errors become JavaScript errors with their code.
template <class F>
auto withCodes(Napi::Env env, F f) {
  const auto thrown = [env](const std::string& code, const std::string& message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", code);
    return error;
  };
  try {
    return f();
  } catch (const Error& error) {
    throw thrown(error.code, error.message);
  } catch (const Unavailable& error) {
    throw thrown(error.code, error.message);
  }
}

Device& deviceOf(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<Device>>().CheckTypeTag(&kDeviceTag)) {
    throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a device");
  }
  return *value.As<Napi::External<Device>>().Data();
}

Napi::Value openDevice(const Napi::CallbackInfo& info) {
  const auto options = info[0].As<Napi::Object>();
  const auto number = [&](const char* name) { return options.Get(name).As<Napi::Number>(); };
  const DeviceKey key = {options.Get("kind").As<Napi::String>().Utf8Value() == "cuda",
                         number("ordinal"),
                         static_cast<Precision>(number("precision").Int32Value()),
                         options.Get("stepwise").ToBoolean(),
                         number("threads"),
                         static_cast<std::size_t>(number("memoryLimit").Int64Value())};
  Device* device = withCodes(info.Env(), [&] { return &openOnce(key); });
  const auto external = Napi::External<Device>::New(info.Env(), device);
  external.TypeTag(&kDeviceTag);
  return external;
}

Napi::Value deviceInfo(const Napi::CallbackInfo& info) {
  const Device& device = deviceOf(info[0]);
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("instructions", device.instructions);
  result.Set("hardware", device.hardware);
  return result;
}

Napi::Value cudaLibraryFile(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), cudaLibraryPath());
}

Napi::Object describe(Napi::Env env, Library& library, int ordinal) {
  Napi::Object result = Napi::Object::New(env);
  try {
    const DeviceDescription device = library.describe(ordinal);
    result.Set("name", device.name);
    result.Set("computeCapability", std::to_string(device.major) + "." + std::to_string(device.minor));
    result.Set("memoryBytes", static_cast<double>(device.memory));
  } catch (const Error& error) {
    result.Set("code", error.code);
    result.Set("reason", error.message);
  }
  return result;
}

// cudaDevices(): a description of each device, or why it cannot be opened; throws if there are no devices
Napi::Value cudaDevices(const Napi::CallbackInfo& info) {
  return withCodes(info.Env(), [&] {
    Library& library = cudaLibrary();
    const int count = library.count();
    Napi::Array devices = Napi::Array::New(info.Env());
    for (int ordinal = 0; ordinal < count; ++ordinal) {
      devices.Set(devices.Length(), describe(info.Env(), library, ordinal));
    }
    return devices;
  });
}

// instructionSets(): the ones that this CPU supports, the best first
Napi::Value instructionSets(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  std::set<std::string_view> known;
  for (int i = 0; i < kCpuCandidateCount; ++i) {
    const CpuCandidate& candidate = kCpuCandidates[i];
    if (candidate.supported() && known.insert(candidate.name).second)
      names.Set(names.Length(), candidate.name);
  }
  return names;
}

// cpuPrecisions(): the numbers of the precisions that the CPU backend supports here
Napi::Value cpuPrecisions(const Napi::CallbackInfo& info) {
  Napi::Array numbers = Napi::Array::New(info.Env());
  for (const Precision precision : {Precision::float32, Precision::tf32, Precision::bfloat16}) {
    try {
      chooseCpu(std::getenv("PACKED_RNN_CPU"), precision);
      numbers.Set(numbers.Length(), static_cast<int>(precision));
    } catch (const Error&) {
      // not supported
    }
  }
  return numbers;
}

Napi::Value deviceMemory(const Napi::CallbackInfo& info) {
  const MemoryUse use = queueOf(info[0]).backend().memory();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("held", static_cast<double>(use.held));
  result.Set("cached", static_cast<double>(use.cached));
  return result;
}

// ceilings(device): a promise of the CPU's measured ceilings; the queue runs the measurement in order
Napi::Value ceilings(const Napi::CallbackInfo& info) {
  const Device& device = deviceOf(info[0]);
  if (device.measure == nullptr) throw Napi::TypeError::New(info.Env(), "packed-rnn: wanted a CPU device");
  auto found = std::make_shared<CpuCeilings>();
  const auto settle = [found](Napi::Env env) -> Napi::Value {
    Napi::Object result = Napi::Object::New(env);
    result.Set("flopsOfOne", found->flopsOfOne);
    result.Set("flopsOfAll", found->flopsOfAll);
    result.Set("bandwidth", found->bandwidth);
    return result;
  };
  Napi::Promise promise(info.Env(), nullptr);
  auto task = std::make_unique<FunctionTask>("ceilings");
  task->function = [found, measure = device.measure](Backend& backend) { *found = measure(backend); };
  const std::shared_ptr<Environment> environment = Environment::of(info.Env());
  task->done = environment->promise(info.Env(), settle, promise);
  environment->push(queueOf(info[0]), std::move(task));
  return promise;
}

Napi::Value synchronize(const Napi::CallbackInfo& info) {
  Queue& queue = queueOf(info[0]);
  Napi::Promise promise(info.Env(), nullptr);
  const std::shared_ptr<Environment> environment = Environment::of(info.Env());
  const auto settle = [](Napi::Env env) { return env.Undefined(); };
  environment->synchronize(queue, environment->promise(info.Env(), settle, promise));
  return promise;
}

// A mark, set when the queue reaches it. The last thread that releases it frees it.
using MarkPointer = std::shared_ptr<std::unique_ptr<Mark>>;

Napi::Value mark(const Napi::CallbackInfo& info) {
  auto made = std::make_shared<std::unique_ptr<Mark>>();
  auto task = std::make_unique<FunctionTask>("mark");
  task->function = [made](Backend& backend) { made->reset(backend.mark()); };
  Environment::of(info.Env())->push(queueOf(info[0]), std::move(task));
  const auto external = Napi::External<MarkPointer>::New(info.Env(), new MarkPointer(std::move(made)),
                                                         [](Napi::Env, MarkPointer* held) { delete held; });
  external.TypeTag(&kMarkTag);
  return external;
}

MarkPointer markOf(const Napi::Value& value) {
  if (!value.IsExternal() || !value.As<Napi::External<MarkPointer>>().CheckTypeTag(&kMarkTag)) {
    throw Napi::TypeError::New(value.Env(), "packed-rnn: wanted a mark");
  }
  return *value.As<Napi::External<MarkPointer>>().Data();
}

// secondsBetween(device, start, end): a promise
Napi::Value secondsBetween(const Napi::CallbackInfo& info) {
  auto seconds = std::make_shared<double>(0);
  Napi::Promise promise(info.Env(), nullptr);
  auto task = std::make_unique<FunctionTask>("secondsUntil");
  task->function = [seconds, start = markOf(info[1]), end = markOf(info[2])](Backend& backend) {
    if (*start == nullptr || *end == nullptr) throw Error{"ERR_OP_FAILED", "a mark was never set"};
    *seconds = backend.secondsBetween(**start, **end);
  };
  const auto settle = [seconds](Napi::Env env) { return Napi::Number::New(env, *seconds); };
  const std::shared_ptr<Environment> environment = Environment::of(info.Env());
  task->done = environment->promise(info.Env(), settle, promise);
  environment->push(queueOf(info[0]), std::move(task));
  return promise;
}

// allocate(device, bytes): memory that an op updates, initially zeros
Napi::Value allocate(const Napi::CallbackInfo& info) {
  const auto bytes = static_cast<std::size_t>(info[1].As<Napi::Number>().Int64Value());
  return newHandle(info.Env(), std::make_shared<Buffer>(queueOf(info[0]).backend(), bytes));
}

// handle(): for memory that the op that writes it allocates
Napi::Value handle(const Napi::CallbackInfo& info) { return newHandle(info.Env(), nullptr); }

// Copies a typed array at once, so that the caller may change it. The queue then copies it to the device.
Napi::Value upload(const Napi::CallbackInfo& info) {
  Queue& queue = queueOf(info[0]);
  const auto array = info[1].As<Napi::Uint8Array>();  // the bytes of any typed array, also of shared memory
  auto host = std::make_shared<std::vector<std::uint8_t>>(array.Data(), array.Data() + array.ByteLength());
  auto buffer = std::make_shared<Buffer>(queue.backend(), host->size());
  auto task = std::make_unique<FunctionTask>("tensor");
  task->bytes = static_cast<std::int64_t>(host->size());
  task->buffer = {buffer, Direction::write};
  task->hostBytes = host->size();
  Buffer* target = buffer.get();
  task->function = [host, target](Backend& backend) {
    if (!host->empty()) backend.upload(target->data, host->data(), host->size());
  };
  Environment::of(info.Env())->push(queue, std::move(task));
  return newHandle(info.Env(), std::move(buffer));
}

// download(device, buffer, isInteger): a promise of a Float32Array or an Int32Array
Napi::Value download(const Napi::CallbackInfo& info) {
  Queue& queue = queueOf(info[0]);
  const BufferPointer buffer = unwrapBuffer(info[1]);
  const bool integers = info[2].ToBoolean();
  auto host = std::make_shared<std::vector<std::uint8_t>>();
  Napi::Promise promise(info.Env(), nullptr);
  auto task = std::make_unique<FunctionTask>("toArray");
  task->buffer = {buffer, Direction::read};
  task->waits = buffer->bytes > 0;
  Buffer* source = buffer.get();
  task->function = [host, source](Backend& backend) {
    host->resize(source->bytes);
    if (!host->empty()) backend.download(host->data(), source->data, source->bytes);
  };
  const auto settle = [host, integers](Napi::Env env) -> Napi::Value {
    auto memory = Napi::ArrayBuffer::New(env, host->size());
    if (!host->empty()) std::memcpy(memory.Data(), host->data(), host->size());
    if (integers) return Napi::Int32Array::New(env, host->size() / 4, memory, 0);
    return Napi::Float32Array::New(env, host->size() / 4, memory, 0);
  };
  const std::shared_ptr<Environment> environment = Environment::of(info.Env());
  task->done = environment->promise(info.Env(), settle, promise);
  environment->push(queue, std::move(task));
  return promise;
}

void release(const Napi::CallbackInfo& info) {
  Handle* const handle = handleOf(info.Env(), info[0]);
  if (handle == nullptr) throw Napi::TypeError::New(info.Env(), "packed-rnn: wanted a buffer");
  letGo(info.Env(), *handle);
}

// recurrentSavedCount(device, cell, hiddenSize, projectionSize, directions, rows)
Napi::Value recurrentSavedCount(const Napi::CallbackInfo& info) {
  const auto number = [&](std::size_t i) { return info[i].As<Napi::Number>().Int64Value(); };
  RecurrentShape shape{};
  shape.cell = static_cast<Cell>(number(1));
  shape.hiddenSize = number(2);
  shape.projectionSize = number(3);
  shape.directions = number(4);
  shape.rows = number(5);
  const std::int64_t count = queueOf(info[0]).backend().recurrentSavedCount(shape);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

}  // namespace

Queue& queueOf(const Napi::Value& device) { return deviceOf(device).queue; }

Queue* queueOf(napi_env env, napi_value device) {
  bool ours = false;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, device, &type) != napi_ok || type != napi_external) return nullptr;
  if (napi_check_object_type_tag(env, device, &kDeviceTag, &ours) != napi_ok || !ours) return nullptr;
  void* data = nullptr;
  if (napi_get_value_external(env, device, &data) != napi_ok) return nullptr;
  return &static_cast<Device*>(data)->queue;
}

void defineDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("openDevice", Napi::Function::New(env, openDevice, "openDevice"));
  exports.Set("cudaLibraryFile", Napi::Function::New(env, cudaLibraryFile, "cudaLibraryFile"));
  exports.Set("cudaDevices", Napi::Function::New(env, cudaDevices, "cudaDevices"));
  exports.Set("instructionSets", Napi::Function::New(env, instructionSets, "instructionSets"));
  exports.Set("cpuPrecisions", Napi::Function::New(env, cpuPrecisions, "cpuPrecisions"));
  exports.Set("deviceInfo", Napi::Function::New(env, deviceInfo, "deviceInfo"));
  exports.Set("deviceMemory", Napi::Function::New(env, deviceMemory, "deviceMemory"));
  exports.Set("ceilings", Napi::Function::New(env, ceilings, "ceilings"));
  exports.Set("synchronize", Napi::Function::New(env, synchronize, "synchronize"));
  exports.Set("mark", Napi::Function::New(env, mark, "mark"));
  exports.Set("secondsBetween", Napi::Function::New(env, secondsBetween, "secondsBetween"));
  exports.Set("allocate", Napi::Function::New(env, allocate, "allocate"));
  exports.Set("handle", Napi::Function::New(env, handle, "handle"));
  exports.Set("upload", Napi::Function::New(env, upload, "upload"));
  exports.Set("download", Napi::Function::New(env, download, "download"));
  exports.Set("release", Napi::Function::New(env, release, "release"));
  exports.Set("recurrentSavedCount", Napi::Function::New(env, recurrentSavedCount, "recurrentSavedCount"));
}

}  // namespace packed_rnn
