// A stream that is waited for while it is captured. Without that, the graph replays the arguments of its
// capture.
#include "harness.h"

namespace captured_wait {

struct Add {
  float* sum;
  float value;
};
__global__ void add(const Add p) { p.sum[0] += p.value; }

const Fault fault("captured_wait", [](bool planted) {
  DeviceMemory memory(0, 0);
  float result;
  float* const sum = static_cast<float*>(memory.allocate(sizeof(float)));
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  PACKED_RNN_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  PACKED_RNN_CHECK(cudaMemsetAsync(sum, 0, sizeof(float), stream));
  PACKED_RNN_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  Add arguments = {sum, 1};
  for (; arguments.value < 4; arguments.value++) launch(stream, add, dim3(1), 1, 0, arguments);
  if (planted) PACKED_RNN_CHECK(cudaStreamSynchronize(stream));  // REPORTED
  PACKED_RNN_CHECK(cudaStreamEndCapture(stream, &graph));
  PACKED_RNN_CHECK(cudaGraphInstantiate(&exec, graph, 0));
  PACKED_RNN_CHECK(cudaGraphDestroy(graph));
  for (int i = 0; i < 2; i++) PACKED_RNN_CHECK(cudaGraphLaunch(exec, stream));
  PACKED_RNN_CHECK(cudaGraphExecDestroy(exec));
  PACKED_RNN_CHECK(cudaMemcpyAsync(&result, sum, sizeof result, cudaMemcpyDeviceToHost, stream));
  PACKED_RNN_CHECK(cudaStreamSynchronize(stream));
  PACKED_RNN_CHECK(cudaStreamDestroy(stream));
  memory.deallocate(sum, sizeof(float));
  return result == 12 ? 0 : 1;
});

}  // namespace captured_wait
