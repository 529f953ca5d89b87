// Each op of backend.h: its arguments by name, its buffers as read, written or updated, its call.
#include "addon/ops.h"

namespace packed_rnn {

namespace {

void matmul(Queue& queue, Call& call) {
  Matmul a{};
  a.m = call.integer("m");
  a.n = call.integer("n");
  a.k = call.integer("k");
  a.transposeA = call.flag("transposeA");
  a.transposeB = call.flag("transposeB");
  const Argument left = call.read("a"), right = call.read("b"), bias = call.read("bias"), c = call.write("c");
  call.submit(queue, [=, &queue](Backend& backend) mutable {
    a.a = left.floats();
    a.b = right.floats();
    a.bias = bias.floats();
    a.c = c.floats();
    if (!a.transposeA)
      a.kept = queue.kept(kMatmul, right.buffer(), {{right.stamp()}, {a.n, a.k, a.transposeB}});
    backend.matmul(a);
  });
}

void gatherRows(Queue& queue, Call& call) {
  GatherRows a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  a.sourceRows = call.integer("sourceRows");
  a.fill = static_cast<float>(call.number("fill"));
  const Argument source = call.read("source"), index = call.read("index"),
                 destination = call.write("destination");
  call.submit(queue, [=](Backend& backend) mutable {
    a.source = source.floats();
    a.index = index.integers();
    a.destination = destination.floats();
    backend.gatherRows(a);
  });
}

void sumRows(Queue& queue, Call& call) {
  SumRows a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  const Argument source = call.read("source"), starts = call.read("starts"), order = call.read("order");
  const Argument destination = call.write("destination");
  call.submit(queue, [=](Backend& backend) mutable {
    a.source = source.floats();
    a.starts = starts.integers();
    a.order = order.integers();
    a.destination = destination.floats();
    backend.sumRows(a);
  });
}

void addRows(Queue& queue, Call& call) {
  AddRows a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  const Argument source = call.read("source"), index = call.read("index");
  // A gradient in the making, and no parameter: without its source it fails instead of staying as it was.
  const Argument destination = call.write("destination");
  call.submit(queue, [=](Backend& backend) mutable {
    a.source = source.floats();
    a.index = index.integers();
    a.destination = destination.floats();
    backend.addRows(a);
  });
}

void sumColumns(Queue& queue, Call& call) {
  SumColumns a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  const Argument source = call.read("source"), sums = call.write("sums");
  call.submit(queue, [=](Backend& backend) mutable {
    a.source = source.floats();
    a.sums = sums.floats();
    backend.sumColumns(a);
  });
}

void copyColumns(Queue& queue, Call& call) {
  CopyColumns a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  a.sourceStride = call.integer("sourceStride");
  a.sourceOffset = call.integer("sourceOffset");
  a.destinationStride = call.integer("destinationStride");
  a.destinationOffset = call.integer("destinationOffset");
  const Argument source = call.read("source"), destination = call.write("destination");
  call.submit(queue, [=](Backend& backend) mutable {
    a.source = source.floats();
    a.destination = destination.floats();
    backend.copyColumns(a);
  });
}

Sequences sequencesOf(const std::vector<std::int32_t>& offsets) {
  return {offsets.data(), static_cast<std::int64_t>(offsets.size()) - 1};
}

void maxPool(Queue& queue, Call& call) {
  MaxPool a{};
  a.columns = call.integer("columns");
  const std::vector<std::int32_t> offsets = call.integers32("offsets");
  const Argument rows = call.read("rows"), pooled = call.write("pooled"), places = call.write("places");
  call.submit(queue, [=](Backend& backend) mutable {
    a.sequences = sequencesOf(offsets);
    a.rows = rows.floats();
    a.pooled = pooled.floats();
    a.places = places.integers();
    backend.maxPool(a);
  });
}

void maxPoolBackward(Queue& queue, Call& call) {
  MaxPoolBackward a{};
  a.columns = call.integer("columns");
  const std::vector<std::int32_t> offsets = call.integers32("offsets");
  const Argument places = call.read("places"), dPooled = call.read("dPooled"), dRows = call.write("dRows");
  call.submit(queue, [=](Backend& backend) mutable {
    a.sequences = sequencesOf(offsets);
    a.places = places.integers();
    a.dPooled = dPooled.floats();
    a.dRows = dRows.floats();
    backend.maxPoolBackward(a);
  });
}

void meanPool(Queue& queue, Call& call) {
  MeanPool a{};
  a.columns = call.integer("columns");
  const std::vector<std::int32_t> offsets = call.integers32("offsets");
  const Argument rows = call.read("rows"), pooled = call.write("pooled");
  call.submit(queue, [=](Backend& backend) mutable {
    a.sequences = sequencesOf(offsets);
    a.rows = rows.floats();
    a.pooled = pooled.floats();
    backend.meanPool(a);
  });
}

void meanPoolBackward(Queue& queue, Call& call) {
  MeanPoolBackward a{};
  a.columns = call.integer("columns");
  const std::vector<std::int32_t> offsets = call.integers32("offsets");
  const Argument dPooled = call.read("dPooled"), dRows = call.write("dRows");
  call.submit(queue, [=](Backend& backend) mutable {
    a.sequences = sequencesOf(offsets);
    a.dPooled = dPooled.floats();
    a.dRows = dRows.floats();
    backend.meanPoolBackward(a);
  });
}

void elementwise(Queue& queue, Call& call) {
  ApplyElementwise a{};
  a.function = static_cast<Elementwise>(call.integer("function"));
  a.count = call.integer("count");
  const Argument left = call.read("a"), right = call.read("b"), out = call.write("out");
  call.submit(queue, [=](Backend& backend) mutable {
    a.a = left.floats();
    a.b = right.floats();
    a.out = out.floats();
    backend.elementwise(a);
  });
}

void fill(Queue& queue, Call& call) {
  Fill a{};
  a.count = call.integer("count");
  a.value = static_cast<float>(call.number("value"));
  const Argument from = call.read("from"), out = call.write("out");
  call.submit(queue, [=](Backend& backend) mutable {
    a.from = from.floats();
    a.out = out.floats();
    backend.fill(a);
  });
}

void sum(Queue& queue, Call& call) {
  Sum a{};
  a.count = call.integer("count");
  const Argument values = call.read("values"), out = call.write("out");
  call.submit(queue, [=](Backend& backend) mutable {
    a.values = values.floats();
    a.out = out.floats();
    backend.sum(a);
  });
}

void dropout(Queue& queue, Call& call) {
  Dropout a{};
  a.rows = call.integer("rows");
  a.columns = call.integer("columns");
  a.directions = call.integer("directions");
  a.seed = static_cast<std::uint64_t>(call.number("seed"));
  a.step = static_cast<std::uint32_t>(call.number("step"));
  a.stream = static_cast<std::uint32_t>(call.number("stream"));
  a.p = static_cast<float>(call.number("p"));
  const std::vector<std::int32_t> offsets = call.integers32("offsets");
  const Argument x = call.read("x"), y = call.write("y");
  call.submit(queue, [=](Backend& backend) mutable {
    if (!offsets.empty()) a.sequences = sequencesOf(offsets);
    a.x = x.floats();
    a.y = y.floats();
    backend.dropout(a);
  });
}

void crossEntropy(Queue& queue, Call& call) {
  CrossEntropy a{};
  a.rows = call.integer("rows");
  a.classes = call.integer("classes");
  a.ignoreIndex = static_cast<std::int32_t>(call.number("ignoreIndex"));
  a.labelSmoothing = static_cast<float>(call.number("labelSmoothing"));
  a.mean = call.flag("mean");
  const Argument logits = call.read("logits"), labels = call.read("labels"), weight = call.read("weight");
  const Argument loss = call.write("loss"), gradient = call.write("gradient");
  call.submit(queue, [=](Backend& backend) mutable {
    a.logits = logits.floats();
    a.labels = labels.integers();
    a.weight = weight.floats();
    a.loss = loss.floats();
    a.gradient = gradient.floats();
    backend.crossEntropy(a);
  });
}

struct RecurrentSizes {
  RecurrentShape shape;
  std::int64_t hOffset, cOffset;
};
RecurrentSizes recurrentSizes(Call& call) {
  const auto sizes = call.integers<9>("sizes", {"cell", "rows", "distinctRows", "inputSize", "hiddenSize",
                                                "projectionSize", "directions", "hOffset", "cOffset"});
  RecurrentShape shape{};
  shape.cell = static_cast<Cell>(sizes[0]);
  shape.rows = sizes[1];
  shape.distinctRows = sizes[2];
  shape.inputSize = sizes[3];
  shape.hiddenSize = sizes[4];
  shape.projectionSize = sizes[5];
  shape.directions = sizes[6];
  return {shape, sizes[7], sizes[8]};
}

// The parameters of a layer, or their gradients: of each kind those of all directions. They stand in a list
// of arguments from `first` on.
class RecurrentParameters {
 public:
  RecurrentParameters(const std::vector<Argument>& list, std::size_t first)
      : list_(list.begin() + static_cast<std::ptrdiff_t>(first), list.end()) {}
  std::size_t directions() const { return list_.size() / kKinds; }
  float* wIh(std::size_t d) const { return at(0, d).floats(); }
  float* wHh(std::size_t d) const { return at(1, d).floats(); }
  float* bIh(std::size_t d) const { return at(2, d).floats(); }
  float* bHh(std::size_t d) const { return at(3, d).floats(); }
  float* wHr(std::size_t d) const { return at(4, d).floats(); }
  const std::vector<Argument>& all() const { return list_; }

 private:
  static constexpr std::size_t kKinds = 5;
  const Argument& at(std::size_t kind, std::size_t d) const { return list_[kind * directions() + d]; }
  std::vector<Argument> list_;
};

// What the forward and the backward op of a layer are both given.
struct RecurrentInput {
  explicit RecurrentInput(Call& call) : RecurrentInput(call, call.readAllOptional("inputs")) {}
  RecurrentInput(Call& call, const std::vector<Argument>& inputs)
      : offsets(call.integers32("offsets")),
        x(inputs.at(0)),
        index(inputs.at(1)),
        starts(inputs.at(2)),
        order(inputs.at(3)),
        h0(inputs.at(4)),
        c0(inputs.at(5)),
        weights(inputs, 6),
        sizes(recurrentSizes(call)) {}

  // See Queue::kept.
  Kept** kept(Queue& queue, Keeper keeper) const {
    const RecurrentShape& shape = sizes.shape;
    KeptForm::Origin origin{{},
                            {static_cast<std::int64_t>(shape.cell), shape.inputSize, shape.hiddenSize,
                             shape.projectionSize, shape.directions}};
    std::size_t i = 0;
    for (const Argument& weight : weights.all()) origin.stamps[i++] = weight.stamp();
    return queue.kept(keeper, weights.all()[0].buffer(), origin);
  }
  // A layer's part of the states of all layers.
  float* h(const Argument& states) const { return part(states, sizes.hOffset); }
  float* c(const Argument& states) const { return part(states, sizes.cOffset); }
  template <class Layer>
  void fill(Layer& layer) const {
    layer.shape = sizes.shape;
    layer.shape.sequences = sequencesOf(offsets);
    layer.shape.index = {index.integers(), starts.integers(), order.integers()};
    layer.x = x.floats();
    for (std::size_t d = 0; d < weights.directions(); d++) {
      layer.weights[d] = {weights.wIh(d), weights.wHh(d), weights.bIh(d), weights.bHh(d), weights.wHr(d)};
    }
    layer.h0 = h(h0);
    layer.c0 = c(c0);
  }

  std::vector<std::int32_t> offsets;
  Argument x, index, starts, order, h0, c0;
  RecurrentParameters weights;
  RecurrentSizes sizes;

 private:
  static float* part(const Argument& states, std::int64_t offset) {
    return states.floats() == nullptr ? nullptr : states.floats() + offset;
  }
};

void recurrentForward(Queue& queue, Call& call) {
  RecurrentInput input = call.within("layer", [&] { return RecurrentInput(call); });
  const std::vector<Argument> results = call.writeAllOptional("results");
  const Argument &output = results.at(0), &hN = results.at(1), &cN = results.at(2), &saved = results.at(3);
  call.submit(queue, [=, input = std::move(input), &queue](Backend& backend) {
    RecurrentForward a{};
    input.fill(a);
    a.kept = input.kept(queue, kRecurrentForward);
    a.output = output.floats();
    a.hN = input.h(hN);
    a.cN = input.c(cN);
    a.saved = saved.floats();
    backend.recurrentForward(a);
  });
}

void recurrentBackward(Queue& queue, Call& call) {
  RecurrentInput input = call.within("layer", [&] { return RecurrentInput(call); });
  const Argument output = call.read("output"), saved = call.update("saved");
  call.op().usesUp = true;
  const Argument dOutput = call.read("dOutput"), dHN = call.read("dHN"), dCN = call.read("dCN");
  const Argument dX = call.write("dX"), dH0 = call.write("dH0"), dC0 = call.write("dC0");
  RecurrentParameters gradients(call.writeAllOptional("gradients"), 0);
  call.submit(queue,
              [=, input = std::move(input), gradients = std::move(gradients), &queue](Backend& backend) {
                RecurrentBackward a{};
                input.fill(a);
                a.kept = input.kept(queue, kRecurrentBackward);
                a.output = output.floats();
                a.saved = saved.floats();
                a.dOutput = dOutput.floats();
                a.dHN = input.h(dHN);
                a.dCN = input.c(dCN);
                a.dX = dX.floats();
                for (std::size_t d = 0; d < gradients.directions(); d++) {
                  a.gradients[d] = {gradients.wIh(d), gradients.wHh(d), gradients.bIh(d), gradients.bHh(d),
                                    gradients.wHr(d)};
                }
                a.dH0 = input.h(dH0);
                a.dC0 = input.c(dC0);
                backend.recurrentBackward(a);
              });
}

Napi::Value recurrentSavedCount(const Napi::CallbackInfo& info) {
  Call call("recurrentSavedCount", info[1]);
  const std::int64_t count = queueOf(info[0]).backend().recurrentSavedCount(recurrentSizes(call).shape);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

}  // namespace

void defineOps(Napi::Env env, Napi::Object exports) {
  define<matmul>(env, exports, "matmul");
  define<gatherRows>(env, exports, "gatherRows");
  define<sumRows>(env, exports, "sumRows");
  define<addRows>(env, exports, "addRows");
  define<sumColumns>(env, exports, "sumColumns");
  define<copyColumns>(env, exports, "copyColumns");
  define<maxPool>(env, exports, "maxPool");
  define<maxPoolBackward>(env, exports, "maxPoolBackward");
  define<meanPool>(env, exports, "meanPool");
  define<meanPoolBackward>(env, exports, "meanPoolBackward");
  define<elementwise>(env, exports, "elementwise");
  define<fill>(env, exports, "fill");
  define<sum>(env, exports, "sum");
  define<dropout>(env, exports, "dropout");
  define<crossEntropy>(env, exports, "crossEntropy");
  define<recurrentForward>(env, exports, "recurrentForward");
  define<recurrentBackward>(env, exports, "recurrentBackward");
  exports.Set("recurrentSavedCount", Napi::Function::New(env, recurrentSavedCount, "recurrentSavedCount"));
}

}  // namespace packed_rnn
