// The devices of this process: each opened once, each with one queue, none ever closed.
#pragma once

#include "addon/napi.h"
#include "addon/queue.h"

namespace packed_rnn {

// The queue behind the opaque object that `openDevice` returned.
Queue& queueOf(const Napi::Value& device);

// openDevice, cudaLibraryFile, cudaDevices, instructionSets, cpuPrecisions, deviceInfo, deviceMemory,
// ceilings, synchronize, mark, secondsBetween, allocate, upload, download, release
void defineDevice(Napi::Env env, Napi::Object exports);
// every op of backend.h; those over many tensors at once are the second's
void defineOps(Napi::Env env, Napi::Object exports);
void defineOptimizerOps(Napi::Env env, Napi::Object exports);

}  // namespace packed_rnn
