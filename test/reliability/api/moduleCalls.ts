import * as nn from '../../../src/nn/index.js'
import * as optim from '../../../src/optim/index.js'
import { PackedIds, PackedSequence } from '../../../src/packed.js'
import { Generator, manualSeed } from '../../../src/random.js'
import { Tensor } from '../../../src/tensor.js'
import { clipGradNormReference } from '../../reference/ops.js'
import type { Call } from './opCalls.js'
import { checkError, untyped, type World } from './world.js'

/** Modules, optimisers, clipping, schedules, state dicts. */

/** No more than a module may have without taking minutes to draw its weights, or what none may have. */
function size(world: World): number {
  return world.hostile.once(40)
    ? world.hostile.oneOf([0, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 53])
    : 1 + world.hostile.below(5)
}

function moduleOf(world: World): nn.Module | null {
  const { hostile } = world
  const made = world.others.filter(each => each instanceof nn.Module)
  if (made.length > 0 && !hostile.once(4)) return hostile.oneOf(made)
  const on = { device: world.device, generator: new Generator(hostile.below(100)) }
  const layered = {
    ...on,
    ...{ inputSize: size(world), hiddenSize: size(world), numLayers: 1 + hostile.below(2) },
    ...{ bidirectional: hostile.once(3), bias: !hostile.once(4), batchFirst: hostile.once(2) },
    dropout: hostile.once(20) ? hostile.number(0.5) : 0,
  }
  const kinds: Record<string, () => nn.Module> = {
    Linear: () =>
      new nn.Linear({ ...on, inFeatures: size(world), outFeatures: size(world), bias: hostile.once(2) }),
    Embedding: () =>
      new nn.Embedding({
        ...on,
        numEmbeddings: size(world),
        embeddingDim: size(world),
        paddingIdx: hostile.once(3) ? hostile.number(0) : null,
      }),
    fromPretrained: () => nn.Embedding.fromPretrained(hostile.values(hostile.below(13)), size(world), on),
    Dropout: () => new nn.Dropout({ ...on, p: hostile.number(0.5) }),
    LSTM: () => new nn.LSTM({ ...layered, projSize: hostile.once(3) ? hostile.number(1) : 0 }),
    GRU: () => new nn.GRU({ ...layered, resetAfter: hostile.once(2) }),
    RNN: () => new nn.RNN({ ...layered, nonlinearity: hostile.oneOf(['tanh', 'relu']) }),
  }
  const kind = hostile.oneOf(Object.keys(kinds))
  const one = world.attempt(`nn.${kind}`, kinds[kind]!)
  return one && world.keepOther(one)
}

function forward(world: World): void {
  const { hostile } = world
  const module = moduleOf(world)
  if (module === null) return
  world.attempt('nn.Module.train', () => module.train(hostile.once(2)))
  if (module instanceof nn.Linear) {
    const y = world.attempt('nn.Linear.forward', () =>
      module.forward(world.float<2>([hostile.size(), module.weight.shape[1]])),
    )
    if (y !== null) world.keep(y)
  } else if (module instanceof nn.Embedding) {
    const y = world.attempt('nn.Embedding.forward', () =>
      module.forward(new PackedIds(hostile.ids(module.weight.shape[0]))),
    )
    if (y !== null) world.keepOther(y)
  } else if (module instanceof nn.Dropout) {
    const y = world.attempt('nn.Dropout.forward', () => module.forward(world.some()))
    if (y !== null && !world.tensors.includes(y)) world.keep(y)
  } else if (module instanceof nn.LSTM || module instanceof nn.GRU || module instanceof nn.RNN) {
    const width = module.inputSize
    const shape = hostile.once(2) ? [hostile.size(), width] : [hostile.size(), hostile.size(), width]
    const packed = world.others.filter(each => each instanceof PackedSequence)
    const x = packed.length > 0 && hostile.once(2) ? hostile.oneOf(packed) : world.float<3>(shape)
    const result = world.attempt('nn.RecurrentModule.forward', () =>
      module.forward(untyped<PackedSequence>(x)),
    )
    if (result === null) return
    world.keep(result.hN)
    if (result instanceof nn.LstmOutput) world.keep(result.cN)
    const { output } = result
    if (untyped<unknown>(output) instanceof Tensor) world.keep<Tensor>(untyped(output))
    else world.keepOther(output)
    for (const way of ['lastHidden', 'lastOutput', 'maxPool', 'meanPool', 'concatPool'] as const) {
      if (!hostile.once(4)) continue
      const y = world.attempt(`nn.RecurrentOutput.${way}`, () => result[way]())
      if (y !== null) world.keep(y)
    }
  }
}

type AnyOptimizer = optim.Optimizer<{ lr: number }, string>

/** Those of every kind that were made. */
const optimizersOf = (world: World): AnyOptimizer[] => {
  const kinds = [
    optim.SGD,
    optim.Adam,
    optim.AdamW,
    optim.RMSprop,
    optim.Adagrad,
    optim.ASGD,
    optim.AveragedSGD,
  ]
  return untyped(world.others.filter(each => kinds.some(kind => each instanceof kind)))
}

function optimizer(world: World): AnyOptimizer | null {
  const { hostile } = world
  const made = optimizersOf(world)
  if (made.length > 0 && !hostile.once(5)) return hostile.oneOf(made)
  const parameters = hostile.once(2)
    ? (moduleOf(world)?.parameters() ?? [])
    : Array.from({ length: hostile.below(4) }, () => world.some())
  const given = hostile.once(4) ? [{ parameters, lr: hostile.number(0.1) }] : parameters
  const common = {
    lr: hostile.number(0.1),
    weightDecay: hostile.once(3) ? hostile.number(0.01) : 0,
    maximize: hostile.once(4),
  }
  const kinds: Record<string, () => unknown> = {
    SGD: () => new optim.SGD(given, { ...common, momentum: hostile.number(0.5), nesterov: hostile.once(4) }),
    Adam: () =>
      new optim.Adam(given, { ...common, betas: [hostile.number(0.9), 0.99], amsgrad: hostile.once(3) }),
    AdamW: () => new optim.AdamW(given, { ...common, eps: hostile.number(1e-8) }),
    RMSprop: () =>
      new optim.RMSprop(given, {
        ...common,
        alpha: hostile.number(0.9),
        momentum: hostile.once(2) ? hostile.number(0.5) : 0,
        centered: hostile.once(2),
      }),
    Adagrad: () => new optim.Adagrad(given, { ...common, lrDecay: hostile.number(0.1) }),
    AveragedSGD: () => new optim.AveragedSGD(given, { ...common, averages: hostile.once(2) }),
    ASGD: () => new optim.ASGD(given, { ...common, t0: hostile.number(2) }),
  }
  const kind = hostile.oneOf(Object.keys(kinds))
  const one = world.attempt(`optim.${kind}`, kinds[kind]!)
  return one === null ? null : world.keepOther(untyped<AnyOptimizer>(one))
}

/** p − lr g, of an SGD without anything else. */
function sgdStep(world: World): void {
  const { hostile } = world
  const parameters = Array.from({ length: 1 + hostile.below(3) }, () => world.float<2>([2, 3]))
  const lr = hostile.number(0.5)
  const sgd = world.attempt('optim.SGD', () => new optim.SGD(parameters, { lr }))
  if (sgd === null) return
  for (const each of parameters) {
    each.grad?.dispose()
    each.grad = hostile.once(6)
      ? null
      : world.attempt('grad', () => world.float<2>([2, 3])?.detach?.() ?? null)
  }
  const read = () => parameters.map(each => world.read(each))
  world.changed()
  const before = read()
  const given = parameters.map(({ grad }) => grad && world.read(grad))
  const stepped = world.attempt('optim.Optimizer.step', () => {
    sgd.step()
    return true
  })
  world.changed()
  if (stepped === null) return
  const told = world.device.synchronize().then(() => null, checkError)
  const after = read()
  // Views of the same memory are stepped twice, or are their own gradient.
  const memories = parameters.flatMap(({ storage, grad }) => [storage, ...(grad ? [grad.storage] : [])])
  if (new Set(memories).size < memories.length) return
  world.later(async () => {
    const read = await Promise.all([...given, ...before, ...after])
    // If something failed, for example without memory, nothing is stepped. A step that needs memory reports it at the end.
    if (read.some(each => each instanceof Error)) return
    const pairs = untyped<[Float32Array, Float32Array][]>(
      await Promise.all(before.map(async (old, i) => [await old, await after[i]])),
    )
    const same = pairs.every(([old, now]) => old.every((p, n) => Object.is(p, now[n])))
    if (same && (await told)?.code === 'ERR_OUT_OF_MEMORY') return
    for (const [i, gradient] of untyped<(Float32Array | null)[]>(await Promise.all(given)).entries()) {
      const [old, now] = pairs[i]!
      old.forEach((p, n) => {
        const wanted = p - (gradient === null ? 0 : Math.fround(lr) * gradient[n]!)
        const close = Math.abs(now[n]! - wanted) <= 1e-6 * (Math.abs(p) + Math.abs(wanted)) + 1e-37
        if (close || !(Math.abs(wanted) < 1e30)) return
        throw new Error(`optim.SGD: parameter ${i}[${n}]: wanted ${wanted}, got ${now[n]}`)
      })
    }
  })
}

export const moduleCalls: Record<string, Call> = {
  forward,
  forwardAgain: forward,
  manualSeed(world) {
    world.attempt('manualSeed', () => manualSeed(world.hostile.number(3)))
    world.attempt('Generator', () => {
      const generator = new Generator(world.hostile.number(3))
      if (!(generator.uniform() < 1)) throw new Error('Generator: uniform')
      generator.shuffle([1, 2, 3])
      return generator.below(world.hostile.number(4))
    })
  },
  step(world) {
    const one = optimizer(world)
    if (one === null) return
    world.attempt('optim.Optimizer.step', () => one.step())
    world.changed()
  },
  sgdStep,
  zeroGrad(world) {
    const one = optimizer(world)
    if (one === null) return
    world.attempt('optim.Optimizer.zeroGrad', () => one.zeroGrad())
    const module = moduleOf(world)
    if (module !== null) world.attempt('nn.Module.zeroGrad', () => module.zeroGrad())
  },
  optimizerState(world) {
    const [one, other] = [optimizer(world), optimizer(world)]
    if (one === null || other === null) return
    world.later(async () => {
      const state = await one.stateDict()
      other.loadStateDict(state)
    })
  },
  moduleState(world) {
    const [one, other] = [moduleOf(world), moduleOf(world)]
    if (one === null || other === null) return
    world.later(async () => {
      other.loadStateDict(await one.stateDict(), { strict: !world.hostile.once(3) })
    })
    world.changed()
  },
  clip(world) {
    const { hostile } = world
    const parameters = Array.from({ length: hostile.below(4) }, () => world.float<1>([4]))
    for (const each of parameters) {
      if (!(each instanceof Tensor) || each.disposed) continue
      each.grad?.dispose()
      each.grad = world.attempt('grad', () => world.float<1>([4], each.device)?.detach?.() ?? null)
    }
    const gradients = parameters.flatMap(each => each?.grad ?? [])
    const given = gradients.map(each => world.read(each))
    const maxNorm = hostile.number(1)
    const normType = hostile.oneOf([2, 2, Infinity] as const)
    const options = { normType, errorIfNonfinite: hostile.once(4) }
    const norm = world.attempt('optim.clipGradNorm', () => optim.clipGradNorm(parameters, maxNorm, options))
    world.changed()
    if (norm !== null) {
      world.keep(norm)
      const read = world.read(norm)
      world.later(async () => {
        const [got, values] = [await read, await Promise.all(given)]
        if (got instanceof Error || normType !== 2) return
        const known = values.map(each => (each instanceof Error ? null : Float64Array.from(each)))
        if (known.includes(null)) throw new Error('clipGradNorm: a norm of gradients that failed')
        const wanted = clipGradNormReference(untyped<Float64Array[]>(known), 1)
        if (!(wanted < 1e18) || Math.abs(got[0]! - wanted) <= 1e-5 * wanted + 1e-30) return
        throw new Error(`clipGradNorm: wanted ${wanted}, got ${got[0]}`)
      })
    }
    world.attempt('optim.clipGradValue', () => optim.clipGradValue(parameters, hostile.number(0.5)))
    world.changed()
  },
  schedule(world) {
    const { hostile } = world
    const steps = hostile.number(10)
    const kinds: Record<string, () => optim.Schedule> = {
      stepDecay: () => optim.stepDecay({ stepSize: hostile.number(3), gamma: hostile.number(0.5) }),
      cosineAnnealing: () => optim.cosineAnnealing({ steps, minimum: hostile.number(0) }),
      oneCycle: () => optim.oneCycle({ steps, pctStart: hostile.number(0.3), divFactor: hostile.number(25) }),
      slantedTriangular: () => optim.slantedTriangular({ steps, cutFraction: hostile.number(0.2) }),
    }
    const kind = hostile.oneOf(Object.keys(kinds))
    const schedule = world.attempt(`optim.${kind}`, kinds[kind]!)
    const one = optimizer(world)
    if (schedule === null || one === null) return
    const cycled = one.groups[0]
    if (cycled !== undefined && ('betas' in cycled || 'momentum' in cycled)) {
      world.attempt('optim.OneCycle', () => {
        const cycle = new optim.OneCycle(untyped(one), { steps, pctStart: hostile.number(0.3) })
        cycle.step()
        cycle.loadStateDict(cycle.stateDict())
      })
    }
    world.attempt('optim.Scheduler', () => {
      const scheduler = new optim.Scheduler(one, schedule)
      scheduler.step()
      scheduler.loadStateDict({ ...scheduler.stateDict(), step: hostile.number(4) })
    })
  },
}
