// The part of CUDA's runtime that the backend calls. Work on a stream is done late, at the first call that
// waits. So a buffer that is reused too early, or a result that is read without waiting, has visible effects.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "standin/vector_types.h"

#define CUDART_VERSION 13000

#define STANDIN_ERRORS(X)                                                                               \
  X(Success, 0, "no error")                                                                             \
  X(ErrorInvalidValue, 1, "invalid argument")                                                           \
  X(ErrorMemoryAllocation, 2, "out of memory")                                                          \
  X(ErrorInitializationError, 3, "initialization error")                                                \
  X(ErrorCudartUnloading, 4, "driver shutting down")                                                    \
  X(ErrorInvalidConfiguration, 9, "invalid configuration argument")                                     \
  X(ErrorInvalidMemcpyDirection, 21, "invalid copy direction for memcpy")                               \
  X(ErrorInsufficientDriver, 35, "CUDA driver version is insufficient for CUDA runtime version")        \
  X(ErrorDevicesUnavailable, 46, "CUDA-capable device(s) is/are busy or unavailable")                   \
  X(ErrorInvalidDeviceFunction, 98, "invalid device function")                                          \
  X(ErrorNoDevice, 100, "no CUDA-capable device is detected")                                           \
  X(ErrorInvalidDevice, 101, "invalid device ordinal")                                                  \
  X(ErrorDeviceUninitialized, 201, "invalid device context")                                            \
  X(ErrorNoKernelImageForDevice, 209, "no kernel image is available for execution on the device")       \
  X(ErrorECCUncorrectable, 214, "uncorrectable ECC error encountered")                                  \
  X(ErrorInvalidPtx, 218, "a PTX JIT compilation failed")                                               \
  X(ErrorNvlinkUncorrectable, 220, "uncorrectable NVLink error detected during the execution")          \
  X(ErrorUnsupportedPtxVersion, 222, "the provided PTX was compiled with an unsupported toolchain.")    \
  X(ErrorContained, 226, "Invalid access of peer GPU memory over nvlink or a hardware error")           \
  X(ErrorOperatingSystem, 304, "OS call failed or operation not supported on this OS")                  \
  X(ErrorInvalidResourceHandle, 400, "invalid resource handle")                                         \
  X(ErrorIllegalState, 401, "the operation cannot be performed in the present state")                   \
  X(ErrorNotReady, 600, "device not ready")                                                             \
  X(ErrorIllegalAddress, 700, "an illegal memory access was encountered")                               \
  X(ErrorLaunchOutOfResources, 701, "too many resources requested for launch")                          \
  X(ErrorLaunchTimeout, 702, "the launch timed out and was terminated")                                 \
  X(ErrorContextIsDestroyed, 709, "context is destroyed")                                               \
  X(ErrorAssert, 710, "device-side assert triggered")                                                   \
  X(ErrorHardwareStackError, 714, "hardware stack error")                                               \
  X(ErrorIllegalInstruction, 715, "an illegal instruction was encountered")                             \
  X(ErrorMisalignedAddress, 716, "misaligned address")                                                  \
  X(ErrorInvalidAddressSpace, 717, "operation not supported on global/shared address space")            \
  X(ErrorInvalidPc, 718, "invalid program counter")                                                     \
  X(ErrorLaunchFailure, 719, "unspecified launch failure")                                              \
  X(ErrorNotPermitted, 800, "operation not permitted")                                                  \
  X(ErrorNotSupported, 801, "operation not supported")                                                  \
  X(ErrorSystemNotReady, 802, "system not yet initialized")                                             \
  X(ErrorSystemDriverMismatch, 803, "system has unsupported display driver / cuda driver combination")  \
  X(ErrorCompatNotSupportedOnDevice, 804, "forward compatibility was attempted on non supported HW")    \
  X(ErrorStreamCaptureUnsupported, 900, "operation not permitted when stream is capturing")             \
  X(ErrorStreamCaptureInvalidated, 901, "operation failed due to a previous error during capture")      \
  X(ErrorStreamCaptureUnmatched, 903, "operation failed because the capture was not begun here")        \
  X(ErrorStreamCaptureUnjoined, 904, "capturing stream has unjoined work")                              \
  X(ErrorStreamCaptureImplicit, 906,                                                                    \
    "operation would make the legacy stream depend on a capturing blocking stream")                     \
  X(ErrorCapturedEvent, 907, "operation not permitted on an event last recorded in a capturing stream") \
  X(ErrorGraphExecUpdateFailure, 910,                                                                   \
    "the graph update was not performed because it included changes which violated constraints")        \
  X(ErrorUnknown, 999, "unknown error")

enum cudaError_t {
#define STANDIN_ENUMERATOR(name, code, text) cuda##name = code,
  STANDIN_ERRORS(STANDIN_ENUMERATOR)
#undef STANDIN_ENUMERATOR
};

const char* cudaGetErrorName(cudaError_t);
const char* cudaGetErrorString(cudaError_t);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();

// --- Devices

enum cudaDeviceAttr {
  cudaDevAttrMaxThreadsPerBlock = 1,
  cudaDevAttrMaxSharedMemoryPerBlock = 8,
  cudaDevAttrWarpSize = 10,
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrL2CacheSize = 38,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerMultiprocessor = 81,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
  cudaDevAttrMemoryPoolsSupported = 115,
};
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem, sharedMemPerBlock;
  int warpSize, maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3], major, minor;
  int multiProcessorCount, maxThreadsPerMultiProcessor, l2CacheSize;
  std::size_t sharedMemPerMultiprocessor, sharedMemPerBlockOptin, reservedSharedMemPerBlock;
};
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* ordinal);
cudaError_t cudaSetDevice(int ordinal);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int ordinal);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int ordinal);
cudaError_t cudaDeviceSynchronize();

// --- Memory

enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};
using cudaStream_t = struct CUstream_st*;

cudaError_t cudaMalloc(void** data, std::size_t bytes);
cudaError_t cudaFree(void* data);
cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream);
cudaError_t cudaMallocHost(void** data, std::size_t bytes, unsigned flags = 0);
cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void* data);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
cudaError_t cudaMemcpy(void* destination, const void* source, std::size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void* destination, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void* destination, int value, std::size_t bytes);
cudaError_t cudaMemsetAsync(void* destination, int value, std::size_t bytes, cudaStream_t stream = nullptr);
template <class T>
cudaError_t cudaMalloc(T** data, std::size_t bytes) {
  return cudaMalloc(reinterpret_cast<void**>(data), bytes);
}
template <class T>
cudaError_t cudaMallocHost(T** data, std::size_t bytes) {
  return cudaMallocHost(reinterpret_cast<void**>(data), bytes);
}

// --- Streams and events

constexpr unsigned cudaStreamDefault = 0, cudaStreamNonBlocking = 1;
constexpr unsigned cudaEventDefault = 0, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2;
using cudaEvent_t = struct CUevent_st*;

cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end);

// --- Graphs, made by capturing a stream

enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed,
};
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone,
  cudaStreamCaptureStatusActive,
  cudaStreamCaptureStatusInvalidated,
};
using cudaGraph_t = struct CUgraph_st*;
using cudaGraphExec_t = struct CUgraphExec_st*;
using cudaGraphNode_t = struct CUgraphNode_st*;
enum cudaGraphExecUpdateResult { cudaGraphExecUpdateSuccess, cudaGraphExecUpdateError };
struct cudaGraphExecUpdateResultInfo {
  cudaGraphExecUpdateResult result;
  cudaGraphNode_t errorNode, errorFromNode;
};

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph, cudaGraphExecUpdateResultInfo* info);
cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);

// --- Kernels

enum cudaFuncAttribute {
  cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
  cudaFuncAttributePreferredSharedMemoryCarveout = 9,
};
struct cudaFuncAttributes {
  std::size_t sharedSizeBytes, constSizeBytes, localSizeBytes;
  int maxThreadsPerBlock, numRegs, ptxVersion, binaryVersion, maxDynamicSharedSizeBytes;
};
struct cudaLaunchAttribute {};  // none are supported
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes;
  cudaStream_t stream;
  cudaLaunchAttribute* attrs;
  unsigned numAttrs;
};
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel);
template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*kernel)(Parameters...), cudaFuncAttribute attribute, int value) {
  return cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class... Parameters>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, void (*kernel)(Parameters...)) {
  return cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}

namespace standin {
// The host memory that an argument points to, as words that may be pointers. A kernel that accesses it is in
// error.
using HostPointers = std::vector<const void*>;
void addHostPointers(HostPointers& pointers, const void* argument, std::size_t bytes);
template <class Argument>
void addHostPointers(HostPointers& pointers, Argument argument) {
  __builtin_clear_padding(&argument);  // padding may contain anything
  addHostPointers(pointers, &argument, sizeof argument);
}
cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, HostPointers pointers,
                   std::function<void()> thread);
}  // namespace standin
// The arguments are copied now, as CUDA copies them.
template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  standin::HostPointers pointers;
  (standin::addHostPointers<Parameters>(pointers, arguments), ...);
  return standin::launch(
      *config, reinterpret_cast<const void*>(kernel), std::move(pointers),
      [kernel, ... values = Parameters(std::forward<Arguments>(arguments))] { kernel(values...); });
}
