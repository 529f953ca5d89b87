// Streams, events and graphs.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "standin/queue.h"
#include "standin/trace.h"

using standin::Capture;
using standin::captureOf;
using standin::Kind;
using standin::Node;
using standin::note;

struct CUstream_st {
  std::shared_ptr<Capture> capture;
  bool began = false;  // began the capture itself, instead of joining it
};
struct CUevent_st {
  explicit CUevent_st(bool timed) : timed(timed) {}
  using Clock = std::chrono::steady_clock;
  struct State {
    std::size_t recorded = 0, reached = 0;
    Clock::time_point time;
  };
  const bool timed;
  const std::shared_ptr<State> state = std::make_shared<State>();
  std::shared_ptr<Capture> capture;  // the capture in which it was last recorded
};
struct CUgraph_st {
  std::vector<Node> nodes;
};
struct CUgraphExec_st {
  std::shared_ptr<std::vector<Node>> nodes;
};

Capture* standin::captureOf(cudaStream_t stream) {
  return stream != nullptr && stream->capture != nullptr && !stream->capture->ended ? stream->capture.get()
                                                                                    : nullptr;
}

namespace {
// The result of a call that waits for `stream`: an error while the stream is captured.
cudaError_t refuseToWait(cudaStream_t stream) {
  Capture* const capture = captureOf(stream);
  if (capture == nullptr) return standin::state();
  capture->spoiled = true;
  return note(cudaErrorStreamCaptureUnsupported);
}
cudaError_t refuseToWait(cudaEvent_t event) {
  if (event == nullptr) return note(cudaErrorInvalidResourceHandle);
  return event->capture != nullptr ? note(cudaErrorCapturedEvent) : standin::state();
}
}  // namespace

// --- Streams

// --- Streams

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream == nullptr) return note(cudaErrorInvalidResourceHandle);
  standin::doAll();
  delete stream;
  return standin::state();
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  standin::trace("wait");
  if (const cudaError_t error = refuseToWait(stream); error != cudaSuccess) return error;
  standin::doAll();
  return standin::state();
}
cudaError_t cudaDeviceSynchronize() {
  standin::trace("wait");
  if (const cudaError_t error = standin::refuseInCapture(); error != cudaSuccess) return error;
  standin::doAll();
  return standin::state();
}
// Each query does one piece of work, so repeated queries make progress.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (const cudaError_t error = refuseToWait(stream); error != cudaSuccess) return error;
  return standin::doNext() ? cudaErrorNotReady : cudaSuccess;
}

// --- Events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = nullptr;
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  *event = new CUevent_st((flags & cudaEventDisableTiming) == 0);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  if (event == nullptr) return note(cudaErrorInvalidResourceHandle);
  delete event;
  return standin::state();
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (event == nullptr) return note(cudaErrorInvalidResourceHandle);
  event->capture = captureOf(stream) != nullptr ? stream->capture : nullptr;
  if (event->capture != nullptr) return cudaSuccess;
  return standin::submit(stream, Kind::other, [state = event->state, turn = ++event->state->recorded] {
    state->reached = turn;
    state->time = CUevent_st::Clock::now();
  });
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (event == nullptr) return note(cudaErrorInvalidResourceHandle);
  // All streams are one queue, so they are already ordered. But a stream that waits for a capture joins it.
  if (event->capture != nullptr && stream != nullptr) stream->capture = event->capture;
  return standin::state();
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  standin::trace("wait");
  if (const cudaError_t error = refuseToWait(event); error != cudaSuccess) return error;
  standin::doAll();
  return standin::state();
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (const cudaError_t error = refuseToWait(event); error != cudaSuccess) return error;
  if (event->state->reached == event->state->recorded) return cudaSuccess;
  standin::doNext();
  return cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  for (const cudaEvent_t event : {start, end}) {
    if (const cudaError_t error = refuseToWait(event); error != cudaSuccess) return error;
    if (!event->timed || event->state->recorded == 0) return note(cudaErrorInvalidResourceHandle);
    if (event->state->reached != event->state->recorded) return cudaErrorNotReady;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(end->state->time - start->state->time).count();
  return cudaSuccess;
}

// --- Graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (const cudaError_t error = standin::state(); error != cudaSuccess) return error;
  if (stream == nullptr) return note(cudaErrorStreamCaptureUnsupported);
  if (captureOf(stream) != nullptr) return note(cudaErrorIllegalState);
  stream->capture = std::make_shared<Capture>();
  stream->capture->strict = mode != cudaStreamCaptureModeRelaxed;
  stream->began = true;
  standin::setCapture(stream->capture.get());
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (captureOf(stream) == nullptr) return note(cudaErrorIllegalState);
  if (!stream->began) return note(cudaErrorStreamCaptureUnmatched);
  const std::shared_ptr<Capture> capture = std::exchange(stream->capture, nullptr);
  stream->began = false;
  capture->ended = true;  // for the streams that joined
  standin::setCapture(nullptr);
  if (capture->spoiled) return note(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{std::move(capture->nodes)};
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  const Capture* const capture = captureOf(stream);
  *status = capture == nullptr ? cudaStreamCaptureStatusNone
            : capture->spoiled ? cudaStreamCaptureStatusInvalidated
                               : cudaStreamCaptureStatusActive;
  return standin::state();
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (graph == nullptr) return note(cudaErrorInvalidValue);
  *exec = new CUgraphExec_st{std::make_shared<std::vector<Node>>(graph->nodes)};
  return standin::state();
}
cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info) {
  if (exec == nullptr || graph == nullptr) return note(cudaErrorInvalidValue);
  const bool same = std::equal(exec->nodes->begin(), exec->nodes->end(), graph->nodes.begin(),
                               graph->nodes.end(), [](auto& a, auto& b) { return a.kind == b.kind; });
  *info = {same ? cudaGraphExecUpdateSuccess : cudaGraphExecUpdateError, nullptr, nullptr};
  if (!same) return note(cudaErrorGraphExecUpdateFailure);
  exec->nodes = std::make_shared<std::vector<Node>>(graph->nodes);
  return standin::state();
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return standin::state(); }
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (exec == nullptr) return note(cudaErrorInvalidValue);
  standin::trace("launch");
  return standin::submit(stream, Kind::other, [nodes = exec->nodes] {
    for (const Node& node : *nodes) node.work();
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return standin::state();
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return standin::state();
}
