import * as nn from '../../../src/nn/index.js'
import { PackedIds, PackedSequence, type Sequences } from '../../../src/packed.js'
import { Generator } from '../../../src/random.js'
import { Tensor } from '../../../src/tensor.js'
import type { Call } from './opCalls.js'
import { untyped, type World } from './world.js'

/** Layers beside the recurrent ones, cells, containers and losses: made with hostile sizes, and called with hostile tensors. */

type Float = Tensor<'float32'>

const options = (world: World) => ({
  device: world.device,
  generator: new Generator(world.hostile.below(100)),
})

/** Keeps the tensors in the result of a call, at any depth. */
function keep(world: World, made: unknown): void {
  if (made === null || typeof made !== 'object') return
  if (made instanceof Tensor) {
    if (!world.tensors.includes(made)) world.keep(made)
  } else if (made instanceof PackedSequence) world.keepOther(made)
  else if (made instanceof nn.RecurrentState) world.keepOther(made)
  else if (made instanceof nn.RecurrentOutput) {
    keep(world, made.hN)
    keep(world, made instanceof nn.LstmOutput ? made.cN : null)
    keep(world, untyped<unknown>(made.output))
  }
}

function call(world: World, name: string, make: () => nn.Module, run: (module: never) => unknown): void {
  const module = world.attempt(name, make)
  if (module === null) return
  world.keepOther(module)
  module.train(world.hostile.once(2))
  keep(
    world,
    world.attempt(`${name}.forward`, () => run(untyped<never>(module))),
  )
}

/** Rows of a width: a batch, or a tensor. */
function rows(world: World, width: number): Float | PackedSequence {
  const { hostile } = world
  const packed = world.others.filter(each => each instanceof PackedSequence && each.width === width)
  if (packed.length > 0 && hostile.once(2)) return untyped(hostile.oneOf(packed))
  const data = world.float<2>([hostile.size(), width])
  if (hostile.once(2)) return data
  const batch = world.attempt('PackedSequence', () => {
    const sequences: Sequences = untyped(world.attempt('Sequences', () => sequencesOf(data)))
    return new PackedSequence(data, sequences)
  })
  return batch ?? data
}

function sequencesOf(data: Float): Sequences {
  return new PackedIds([Array.from({ length: data?.shape?.[0] ?? 0 }, () => 0)]).sequences
}

function cell(world: World): void {
  const { hostile } = world
  const [I, H] = [1 + hostile.below(4), 1 + hostile.below(5)]
  const sizes = { ...options(world), inputSize: hostile.number(I), hiddenSize: H, bias: hostile.once(2) }
  const kinds = { LSTMCell: nn.LSTMCell, GRUCell: nn.GRUCell, RNNCell: nn.RNNCell }
  const kind = hostile.oneOf(['LSTMCell', 'GRUCell', 'RNNCell'] as const)
  const x = world.float<2>([hostile.size(), I])
  const h = hostile.once(2) ? world.float<2>([x?.shape?.[0] ?? 1, H]) : null
  call(
    world,
    `nn.${kind}`,
    () => new kinds[kind](sizes),
    (module: nn.LSTMCell) => module.forward(x, { h }),
  )
  if (h === null) return
  const state = world.attempt('nn.RecurrentState', () => new nn.RecurrentState(h))
  if (state !== null)
    keep(
      world,
      world.attempt('nn.RecurrentState.detach', () => state.detach()),
    )
  const both = world.attempt('nn.LstmState', () => new nn.LstmState(h, h))
  if (both !== null)
    keep(
      world,
      world.attempt('nn.LstmState.detach', () => both.detach()),
    )
}

function layer(world: World): void {
  const { hostile } = world
  const C = 1 + hostile.below(4)
  const x = rows(world, C)
  const some = hostile.number(C)
  const on = options(world)
  const kinds: Record<string, () => nn.Module> = {
    'nn.ReLU': () => new nn.ReLU(on),
    'nn.Tanh': () => new nn.Tanh(on),
    'nn.Sigmoid': () => new nn.Sigmoid(on),
    'nn.GELU': () => new nn.GELU(on),
    'nn.LayerNorm': () => new nn.LayerNorm({ ...on, normalizedShape: some, bias: hostile.once(2) }),
    'nn.BatchNorm1d': () => new nn.BatchNorm1d({ ...on, numFeatures: some, momentum: hostile.number(0.1) }),
    'nn.LockedDropout': () => new nn.LockedDropout({ ...on, p: hostile.number(0.5) }),
    'nn.Conv1d': () =>
      new nn.Conv1d({
        ...{ ...on, inChannels: some, outChannels: 2, kernelSize: hostile.number(2) },
        padding: hostile.oneOf(['same', 'causal', 0, 1, 3]),
        dilation: 1 + hostile.below(3),
      }),
    'nn.Sequential': () =>
      new nn.Sequential(new nn.Linear({ ...on, inFeatures: some, outFeatures: 2 }), new nn.Tanh(on)),
    'nn.ModuleList': () => new nn.ModuleList([new nn.Tanh(on)]),
  }
  const name = hostile.oneOf(Object.keys(kinds))
  call(world, name, kinds[name]!, (module: nn.Tanh | nn.ModuleList<nn.Tanh>) =>
    module instanceof nn.ModuleList
      ? module.at(hostile.number(0)).forward(untyped<Float>(x))
      : module.forward(untyped<Float>(x)),
  )
}

function wrapped(world: World): void {
  const { hostile } = world
  const on = options(world)
  if (hostile.once(2)) {
    const table = new nn.Embedding({ ...on, numEmbeddings: 4, embeddingDim: 2 })
    world.keepOther(table)
    const ids = new PackedIds(hostile.ids(4))
    call(
      world,
      'nn.EmbeddingDropout',
      () => new nn.EmbeddingDropout(table, { p: hostile.number(0.5) }),
      (module: nn.EmbeddingDropout) => module.forward(ids),
    )
    return
  }
  const size = { ...on, inputSize: 2, hiddenSize: 3, numLayers: 1 + hostile.below(2) }
  const inner = hostile.once(2) ? new nn.LSTM(size) : new nn.GRU(size)
  world.keepOther(inner)
  const x = rows(world, 2)
  call(
    world,
    'nn.WeightDrop',
    () => new nn.WeightDrop(inner, { p: hostile.number(0.5), variational: hostile.once(2) }),
    (module: nn.WeightDrop) => module.forward(untyped<PackedSequence>(x)),
  )
}

function lossModule(world: World): void {
  const { hostile } = world
  const [N, C] = [hostile.size(), 1 + hostile.below(4)]
  const [x, target] = [world.float<2>([N, C]), world.float<2>([N, C])]
  const labels = Array.from({ length: N }, () => hostile.below(C))
  const reduction = hostile.oneOf(['mean', 'sum', 'none', untyped<'sum'>('Mean')] as const)
  const kinds: Record<string, () => nn.Module> = {
    'nn.CrossEntropyLoss': () => new nn.CrossEntropyLoss({ reduction }),
    'nn.NLLLoss': () => new nn.NLLLoss({ reduction }),
    'nn.MSELoss': () => new nn.MSELoss({ reduction }),
    'nn.BCEWithLogitsLoss': () => new nn.BCEWithLogitsLoss({ reduction }),
  }
  const name = hostile.oneOf(Object.keys(kinds))
  const [width, classes] = [hostile.width(), hostile.number(2 + hostile.below(9))]
  call(
    world,
    'nn.AdaptiveLogSoftmaxWithLoss',
    () =>
      new nn.AdaptiveLogSoftmaxWithLoss({
        ...{ ...options(world), inFeatures: width, classes, cutoffs: [hostile.number(1)], divValue: 1 },
        headBias: hostile.once(2),
      }),
    (module: nn.AdaptiveLogSoftmaxWithLoss) => {
      const x = world.float<2>([2, width])
      keep(world, module.logProb(x))
      keep(world, module.predict(x))
      const { output, loss } = module.forward(x, [0, hostile.number(1)])
      keep(world, output)
      return loss
    },
  )
  const labelled = name === 'nn.CrossEntropyLoss' || name === 'nn.NLLLoss'
  call(world, name, kinds[name]!, (module: nn.MSELoss) =>
    module.forward(x, labelled ? untyped<Float>(labels) : target),
  )
}

function marked(world: World): void {
  const { hostile } = world
  const tensor = world.float<1>([2])
  if (!(tensor instanceof Tensor) || tensor.requiresGrad || hostile.once(8)) {
    world.attempt('nn.parameter', () => nn.parameter(tensor))
    return
  }
  const [parameter, buffer] = [tensor.detach(), tensor.detach()]
  keep(
    world,
    world.attempt('nn.parameter', () => nn.parameter(parameter)),
  )
  keep(
    world,
    world.attempt('nn.buffer', () => nn.buffer(buffer)),
  )
}

export const layerCalls: Record<string, Call> = {
  cell,
  layer,
  layerAgain: layer,
  wrapped,
  lossModule,
  marked,
}
