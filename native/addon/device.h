// The devices of this process. Each is opened once, has one queue and is never closed.
#pragma once

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

// The queue behind the opaque object that `openDevice` returned.
Queue& queueOf(const Napi::Value& device);

// The same, but returns null for any other value.
Queue* queueOf(napi_env env, napi_value device);

// openDevice, cudaLibraryFile, cudaDevices, instructionSets, cpuPrecisions, deviceInfo, deviceMemory,
// ceilings, synchronize, mark, secondsBetween, allocate, handle, upload, download, release
void defineDevice(Napi::Env env, Napi::Object exports);
// `raw`: every op of native/ops; `numbers`: the array from which ops read their numbers; `contract`: see
// ops/contract.h
void defineOps(Napi::Env env, Napi::Object exports);

}  // namespace packed_rnn
