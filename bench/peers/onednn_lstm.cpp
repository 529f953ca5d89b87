// The speed peer in C++: oneDNN's LSTM primitive over sequences of equal length, a call for each layer.
//
//   g++ -O2 -std=c++17 onednn_lstm.cpp -ldnnl -o onednn_lstm
//   onednn_lstm version
//   onednn_lstm PRECISION WEIGHTS T N H D I...    D is 1, or 2 directions; I is the inputs of each layer
//
// PRECISION is float32 or bfloat16. In bfloat16 inputs, outputs, h and weights are bfloat16; c, the bias and
// all gradients are float32, as oneDNN has it for training.
//
// WEIGHTS holds float32 numbers: for each layer and direction w_ih [4H, I], w_hh [4H, H] and the sum of both
// biases [4H], as PyTorch has them. Inputs and gradients are hashes of their index, see src/bench/hashed.ts,
// so that src/bench/equalLengths.ts computes the same.
//
// Says {"ready"}; then answers each line with one JSON object:
//
//   forward          {"seconds"} of inference
//   step             {"seconds"} forward for training, and backward, with a gradient in every state
//   stepLast         the same with a gradient in the last layer's last states alone
//   check PASS FILE  writes what that pass computes, as float32 numbers: the last states [N, D H]; of a step
//   also the
//                    gradients of the weights, in the order of WEIGHTS, and of the input of the first and the
//                    last sequence, [2, T, I]
//
// Weights lie as the primitive wants them: nothing is measured but the primitives. Denormal numbers, which a
// gradient that vanishes would become, are flushed to 0. Threads are OMP_NUM_THREADS. For oneDNN 2.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

using namespace dnnl;
using Arguments = std::unordered_map<int, memory>;
using Dim = memory::dim;

namespace {

engine cpu(engine::kind::cpu, 0);
stream queue(cpu);

// Where the gradients' numbers begin, as in src/bench/equalLengths.ts.
constexpr std::uint32_t kFirstOfGradients = 1u << 30;

// Of all operands of products.
memory::data_type operands = memory::data_type::f32;

float* numbersOf(const memory& of) { return static_cast<float*>(of.get_data_handle()); }

memory zeros(const memory::desc& desc) {
  memory result(desc, cpu);
  std::memset(result.get_data_handle(), 0, desc.get_size());
  return result;
}

float hashed(std::uint32_t index) {
  std::uint32_t bits = index;
  bits = (bits ^ (bits >> 16)) * 0x85ebca6bu;
  bits = (bits ^ (bits >> 13)) * 0xc2b2ae35u;
  bits ^= bits >> 16;
  return static_cast<float>(bits >> 8) * 0x1p-24f - 0.5f;
}

// [T, N, C], hashed as [N, T, C].
memory hashedRows(const memory::desc& desc, Dim T, Dim N, Dim C, std::uint32_t first) {
  memory result(desc, cpu);
  float* numbers = numbersOf(result);
  for (Dim t = 0; t < T; t++) {
    for (Dim n = 0; n < N; n++) {
      for (Dim c = 0; c < C; c++)
        *numbers++ = hashed(first + static_cast<std::uint32_t>((n * T + t) * C + c));
    }
  }
  return result;
}

void copy(const memory& from, const memory& to) {
  reorder(from, to).execute(queue, const_cast<memory&>(from), const_cast<memory&>(to));
  queue.wait();
}

memory inLayout(const memory& from, const memory::desc& desc) {
  memory result(desc, cpu);
  copy(from, result);
  return result;
}

// The same numbers in float32.
memory::desc inFloat32(const memory::desc& desc, memory::format_tag tag) {
  return {desc.dims(), memory::data_type::f32, tag};
}

struct Shape {
  Dim T, N, H, D;
};

class Layer {
 public:
  // x and dX are the output of the layer below and its gradient.
  Layer(const Shape& s, Dim I, const memory& x, const memory& dX, std::istream& parameters)
      : source_({s.T, s.N, I}, operands, memory::format_tag::tnc),
        output_({s.T, s.N, s.D * s.H}, operands, memory::format_tag::tnc),
        hidden_({1, s.D, s.N, s.H}, operands, memory::format_tag::ldnc),
        dSource_(inFloat32(source_, memory::format_tag::tnc)),
        dOutput_(inFloat32(output_, memory::format_tag::tnc)),
        states_(inFloat32(hidden_, memory::format_tag::ldnc)),
        wIh_({1, s.D, I, 4, s.H}, operands, memory::format_tag::any),
        wHh_({1, s.D, s.H, 4, s.H}, operands, memory::format_tag::any),
        dIh_(inFloat32(wIh_, memory::format_tag::any)),
        dHh_(inFloat32(wHh_, memory::format_tag::any)),
        bias_({1, s.D, 4, s.H}, memory::data_type::f32, memory::format_tag::ldgo),
        direction_(s.D == 2 ? rnn_direction::bidirectional_concat : rnn_direction::unidirectional_left2right),
        plainIh_({1, s.D, I, 4, s.H}, memory::data_type::f32, memory::format_tag::ldgoi),
        plainHh_({1, s.D, s.H, 4, s.H}, memory::data_type::f32, memory::format_tag::ldgoi),
        output(zeros(output_)),
        dOutput(zeros(dOutput_)) {
    const auto inference = describe(prop_kind::forward_inference);
    const auto training = describe(prop_kind::forward_training);
    const memory::desc none;
    // clang-format off
    const lstm_backward::primitive_desc back(
        {prop_kind::backward, direction_, source_, hidden_, states_, wIh_, wHh_, bias_, output_, none, none,
         dSource_, states_, states_, dIh_, dHh_, bias_, dOutput_, none, none},
        cpu, training);
    // clang-format on
    inference_ = lstm_forward(inference);
    training_ = lstm_forward(training);
    backward_ = lstm_backward(back);

    const memory ih(plainIh_, cpu), hh(plainHh_, cpu), bias(bias_, cpu);
    for (Dim d = 0; d < s.D; d++) {
      for (const memory& part : {ih, hh, bias}) {
        const std::size_t bytes = part.get_desc().get_size() / static_cast<std::size_t>(s.D);
        parameters.read(static_cast<char*>(part.get_data_handle()) + static_cast<std::size_t>(d) * bytes,
                        static_cast<std::streamsize>(bytes));
      }
    }
    if (!parameters) throw std::runtime_error("WEIGHTS: too few numbers");
    // Without initial states oneDNN 2.6 assumes zeros, but computes a wrong gradient of w_hh in one
    // direction.
    const memory hidden = zeros(hidden_), initial = zeros(states_);
    const auto common = [&](const memory::desc& wIh, const memory::desc& wHh) {
      return Arguments{{DNNL_ARG_SRC_LAYER, x},
                       {DNNL_ARG_SRC_ITER, hidden},
                       {DNNL_ARG_SRC_ITER_C, initial},
                       {DNNL_ARG_WEIGHTS_LAYER, inLayout(ih, wIh)},
                       {DNNL_ARG_WEIGHTS_ITER, inLayout(hh, wHh)},
                       {DNNL_ARG_BIAS, bias},
                       {DNNL_ARG_DST_LAYER, output}};
    };
    forInference_ = common(inference.weights_layer_desc(), inference.weights_iter_desc());
    forTraining_ = common(training.weights_layer_desc(), training.weights_iter_desc());
    forTraining_[DNNL_ARG_WORKSPACE] = memory(training.workspace_desc(), cpu);
    forBackward_ = common(back.weights_layer_desc(), back.weights_iter_desc());
    forBackward_[DNNL_ARG_WORKSPACE] = forTraining_.at(DNNL_ARG_WORKSPACE);
    forBackward_[DNNL_ARG_DIFF_SRC_LAYER] = dX;
    forBackward_[DNNL_ARG_DIFF_SRC_ITER] = zeros(states_);
    forBackward_[DNNL_ARG_DIFF_SRC_ITER_C] = zeros(states_);
    forBackward_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = zeros(back.diff_weights_layer_desc());
    forBackward_[DNNL_ARG_DIFF_WEIGHTS_ITER] = zeros(back.diff_weights_iter_desc());
    forBackward_[DNNL_ARG_DIFF_BIAS] = zeros(bias_);
  }

  void infer() { inference_.execute(queue, forInference_); }
  void forward() { training_.execute(queue, forTraining_); }
  void backward(const memory& gradient) {
    forBackward_[DNNL_ARG_DIFF_DST_LAYER] = gradient;
    backward_.execute(queue, forBackward_);
  }

  // Calls add to them.
  void clearGradients() {
    for (int part : kGradients) {
      const memory& gradient = forBackward_.at(part);
      std::memset(gradient.get_data_handle(), 0, gradient.get_desc().get_size());
    }
  }

  void writeGradients(std::ostream& file, Dim D) {
    const memory::desc plain[] = {plainIh_, plainHh_, bias_};
    for (Dim d = 0; d < D; d++) {
      for (int i = 0; i < 3; i++) {
        const memory found = inLayout(forBackward_.at(kGradients[i]), plain[i]);
        const std::size_t bytes = plain[i].get_size() / static_cast<std::size_t>(D);
        file.write(static_cast<const char*>(found.get_data_handle()) + static_cast<std::size_t>(d) * bytes,
                   static_cast<std::streamsize>(bytes));
      }
    }
  }

  const memory::desc& gradientDesc() const { return dOutput_; }

 private:
  static constexpr int kGradients[] = {DNNL_ARG_DIFF_WEIGHTS_LAYER, DNNL_ARG_DIFF_WEIGHTS_ITER,
                                       DNNL_ARG_DIFF_BIAS};

  lstm_forward::primitive_desc describe(prop_kind kind) const {
    const memory::desc none;
    return {{kind, direction_, source_, hidden_, states_, wIh_, wHh_, bias_, output_, none, none}, cpu};
  }

  memory::desc source_, output_, hidden_, dSource_, dOutput_, states_, wIh_, wHh_, dIh_, dHh_, bias_;
  rnn_direction direction_;
  memory::desc plainIh_, plainHh_;
  lstm_forward inference_, training_;
  lstm_backward backward_;
  Arguments forInference_, forTraining_, forBackward_;

 public:
  memory output, dOutput;
};

class Network {
 public:
  Network(const Shape& shape, const std::vector<Dim>& inputs, std::istream& parameters)
      : shape_(shape), inputs_(inputs[0]) {
    const auto& [T, N, H, D] = shape;
    const memory::desc source({T, N, inputs_}, memory::data_type::f32, memory::format_tag::tnc);
    memory x =
        inLayout(hashedRows(source, T, N, inputs_, 0), {{T, N, inputs_}, operands, memory::format_tag::tnc});
    memory dX = zeros(source);
    dInput_ = dX;
    for (Dim I : inputs) {
      layers_.emplace_back(shape, I, x, dX, parameters);
      x = layers_.back().output;
      dX = layers_.back().dOutput;
    }
    everyState_ = hashedRows(layers_.back().gradientDesc(), T, N, D * H, kFirstOfGradients);
    lastStates_ = zeros(layers_.back().gradientDesc());
    eachLastState([&](Dim at) { numbersOf(lastStates_)[at] = numbersOf(everyState_)[at]; });
  }

  void run(const std::string& pass) {
    if (pass == "forward") {
      for (Layer& layer : layers_) layer.infer();
    } else if (pass == "step" || pass == "stepLast") {
      for (Layer& layer : layers_) layer.forward();
      memory gradient = pass == "step" ? everyState_ : lastStates_;
      for (std::size_t l = layers_.size(); l-- > 0;) {
        layers_[l].backward(gradient);
        if (l > 0) gradient = layers_[l - 1].dOutput;
      }
    } else {
      throw std::runtime_error("wanted forward, step or stepLast");
    }
    queue.wait();
  }

  void check(const std::string& pass, const std::string& path) {
    for (Layer& layer : layers_) layer.clearGradients();
    run(pass);
    std::ofstream file(path, std::ios::binary);
    const auto put = [&](const float* numbers, Dim count) {
      file.write(reinterpret_cast<const char*>(numbers), count * static_cast<std::streamsize>(sizeof(float)));
    };
    const memory output = inLayout(layers_.back().output, layers_.back().gradientDesc());
    eachLastState([&](Dim at) { put(numbersOf(output) + at, 1); });
    if (pass != "forward") {
      for (Layer& layer : layers_) layer.writeGradients(file, shape_.D);
      for (Dim n : {Dim(0), shape_.N - 1}) {
        for (Dim t = 0; t < shape_.T; t++) put(numbersOf(dInput_) + (t * shape_.N + n) * inputs_, inputs_);
      }
    }
    file.flush();
    if (!file) throw std::runtime_error("the file cannot be written");
  }

 private:
  // f(place in an output) of what is at the last token in the first direction, at the first token in the
  // second: [N, D H].
  template <typename F>
  void eachLastState(F f) const {
    const auto& [T, N, H, D] = shape_;
    for (Dim n = 0; n < N; n++) {
      for (Dim c = 0; c < D * H; c++) f(((c < H ? T - 1 : 0) * N + n) * D * H + c);
    }
  }

  Shape shape_;
  Dim inputs_;
  std::vector<Layer> layers_;
  memory dInput_, everyState_, lastStates_;
};

void answer(Network& network, const std::string& line) {
  std::istringstream words(line);
  std::string name, pass, path;
  words >> name;
  if (name == "check") {
    words >> pass >> path;
    network.check(pass, path);
    std::cout << "{}" << std::endl;
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  network.run(name);
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::cout << "{\"seconds\": " << seconds << '}' << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::string(arguments[1]) == "version") {
    const version_t* found = version();
    std::cout << found->major << '.' << found->minor << '.' << found->patch << std::endl;
    return 0;
  }
  const std::string precision = count < 8 ? "" : arguments[1];
  if (precision != "float32" && precision != "bfloat16") {
    std::cerr << "wanted float32 or bfloat16, then WEIGHTS T N H D I...; or version\n";
    return 2;
  }
  if (precision == "bfloat16") operands = memory::data_type::bf16;
#ifdef __SSE2__
  // Before the threads begin: they take it over.
  _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
  const auto number = [&](int i) { return static_cast<Dim>(std::atol(arguments[i])); };
  std::vector<Dim> inputs;
  for (int i = 7; i < count; i++) inputs.push_back(number(i));
  std::ifstream parameters(arguments[2], std::ios::binary);
  Network network({number(3), number(4), number(5), number(6)}, inputs, parameters);
  std::cout << "{\"ready\": true}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) answer(network, line);
}
