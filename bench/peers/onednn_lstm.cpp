// The speed peer in C++: oneDNN's LSTM primitive over sequences of equal length, a call for each layer.
//
//   g++ -O2 -std=c++17 onednn_lstm.cpp -ldnnl -o onednn_lstm
//   onednn_lstm version
//   onednn_lstm T N H D I...    D is 1, or 2 directions; I is the inputs of each layer
//
// Says {"ready"}; then answers each line with {"seconds"}, the sum over the layers:
//
//   forward    inference
//   step       forward for training, and backward, with a gradient in every state
//   stepLast   the same with a gradient in the last layer's last states alone
//
// Inputs and weights are random, weights lie as the primitive wants them, and layers do not feed each other: nothing is
// measured but the primitives. Denormal numbers, which a gradient that vanishes would become, are flushed to 0. Threads
// are OMP_NUM_THREADS. For oneDNN 2.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using namespace dnnl;
using Arguments = std::unordered_map<int, memory>;

namespace {

engine cpu(engine::kind::cpu, 0);
stream queue(cpu);

// Uniform on [-size, size).
memory filled(const memory::desc& desc, float size) {
  static std::minstd_rand random(1);
  std::uniform_real_distribution<float> uniform(-size, size);
  memory result(desc, cpu);
  float* numbers = static_cast<float*>(result.get_data_handle());
  for (std::size_t i = 0; i < desc.get_size() / sizeof(float); i++) numbers[i] = uniform(random);
  return result;
}

class Layer {
 public:
  Layer(memory::dim T, memory::dim N, memory::dim I, memory::dim H, memory::dim D, bool last)
      : source_({T, N, I}, memory::data_type::f32, memory::format_tag::tnc),
        output_({T, N, D * H}, memory::data_type::f32, memory::format_tag::tnc),
        wIh_({1, D, I, 4, H}, memory::data_type::f32, memory::format_tag::any),
        wHh_({1, D, H, 4, H}, memory::data_type::f32, memory::format_tag::any),
        bias_({1, D, 4, H}, memory::data_type::f32, memory::format_tag::ldgo),
        direction_(D == 2 ? rnn_direction::bidirectional_concat : rnn_direction::unidirectional_left2right) {
    const auto inference = describe(prop_kind::forward_inference);
    const auto training = describe(prop_kind::forward_training);
    const memory::desc none;
    const lstm_backward::primitive_desc back({prop_kind::backward,
                                              direction_,
                                              source_,
                                              none,
                                              none,
                                              wIh_,
                                              wHh_,
                                              bias_,
                                              output_,
                                              none,
                                              none,
                                              source_,
                                              none,
                                              none,
                                              wIh_,
                                              wHh_,
                                              bias_,
                                              output_,
                                              none,
                                              none},
                                             cpu, training);
    inference_ = lstm_forward(inference);
    training_ = lstm_forward(training);
    backward_ = lstm_backward(back);

    const memory x = filled(source_, 0.5f), y = filled(output_, 0), bias = filled(bias_, 0.1f);
    const auto common = [&](const memory::desc& wIh, const memory::desc& wHh) {
      return Arguments{{DNNL_ARG_SRC_LAYER, x},
                       {DNNL_ARG_WEIGHTS_LAYER, filled(wIh, 0.1f)},
                       {DNNL_ARG_WEIGHTS_ITER, filled(wHh, 0.1f)},
                       {DNNL_ARG_BIAS, bias},
                       {DNNL_ARG_DST_LAYER, y}};
    };
    forInference_ = common(inference.weights_layer_desc(), inference.weights_iter_desc());
    forTraining_ = common(training.weights_layer_desc(), training.weights_iter_desc());
    forTraining_[DNNL_ARG_WORKSPACE] = memory(training.workspace_desc(), cpu);
    forBackward_ = common(back.weights_layer_desc(), back.weights_iter_desc());
    forBackward_[DNNL_ARG_WORKSPACE] = forTraining_.at(DNNL_ARG_WORKSPACE);
    forBackward_[DNNL_ARG_DIFF_DST_LAYER] = filled(output_, 0.5f);
    forBackward_[DNNL_ARG_DIFF_SRC_LAYER] = memory(source_, cpu);
    forBackward_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = filled(back.diff_weights_layer_desc(), 0);
    forBackward_[DNNL_ARG_DIFF_WEIGHTS_ITER] = filled(back.diff_weights_iter_desc(), 0);
    forBackward_[DNNL_ARG_DIFF_BIAS] = filled(bias_, 0);
    // The layers below have a gradient in every state in both steps.
    forBackwardLast_ = forBackward_;
    if (last) forBackwardLast_[DNNL_ARG_DIFF_DST_LAYER] = lastStates(T, N, H, D);
  }

  void forward() {
    inference_.execute(queue, forInference_);
    queue.wait();
  }

  void step(bool lastStates) {
    training_.execute(queue, forTraining_);
    backward_.execute(queue, lastStates ? forBackwardLast_ : forBackward_);
    queue.wait();
  }

 private:
  lstm_forward::primitive_desc describe(prop_kind kind) const {
    const memory::desc none;
    return {{kind, direction_, source_, none, none, wIh_, wHh_, bias_, output_, none, none}, cpu};
  }

  // Of zeros, but for the last token of the first direction and the first token of the second.
  memory lastStates(memory::dim T, memory::dim N, memory::dim H, memory::dim D) const {
    memory result = filled(output_, 0.5f);
    float* numbers = static_cast<float*>(result.get_data_handle());
    for (memory::dim t = 0; t < T; t++) {
      for (memory::dim i = 0; i < N * D * H; i++) {
        const bool second = i % (D * H) >= H;
        if (t != (second ? 0 : T - 1)) numbers[t * N * D * H + i] = 0;
      }
    }
    return result;
  }

  memory::desc source_, output_, wIh_, wHh_, bias_;
  rnn_direction direction_;
  lstm_forward inference_, training_;
  lstm_backward backward_;
  Arguments forInference_, forTraining_, forBackward_, forBackwardLast_;
};

double secondsOf(Layer& layer, const std::string& pass) {
  const auto start = std::chrono::steady_clock::now();
  if (pass == "forward")
    layer.forward();
  else
    layer.step(pass == "stepLast");
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::string(arguments[1]) == "version") {
    const version_t* found = version();
    std::cout << found->major << '.' << found->minor << '.' << found->patch << std::endl;
    return 0;
  }
  if (count < 6) {
    std::cerr << "wanted T N H D I..., or version\n";
    return 2;
  }
#ifdef __SSE2__
  // Before the threads begin: they take it over.
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
  const auto number = [&](int i) { return std::atol(arguments[i]); };
  std::vector<Layer> layers;
  for (int i = 5; i < count; i++) {
    layers.emplace_back(number(1), number(2), number(i), number(3), number(4), i == count - 1);
  }
  std::cout << "{\"ready\": true}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    double seconds = 0;
    for (Layer& layer : layers) seconds += secondsOf(layer, line);
    std::cout << "{\"seconds\": " << seconds << '}' << std::endl;
  }
}
