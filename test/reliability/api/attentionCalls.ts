import * as nn from '../../../src/nn/index.js'
import { additiveAttention, dotAttention } from '../../../src/ops/attention.js'
import { PackedSequence, packSequence } from '../../../src/packed.js'
import { Generator } from '../../../src/random.js'
import type { Tensor } from '../../../src/tensor.js'
import * as exact from '../../reference/exact.js'
import { compared, drive, given, mostly } from './drive.js'
import type { Call } from './opCalls.js'
import { packed } from './packedCalls.js'
import { untyped, type World } from './world.js'

/** Attention: the ops with any batches, and the modules with batches that mostly fit. */

/** Rows of that width for sequences of those lengths; now and then any batch. */
function rowsOf(world: World, lengths: readonly number[], width: number): PackedSequence | null {
  const { hostile } = world
  if (hostile.once(10)) return packed(world, width)
  const made = world.attempt('packSequence', () =>
    packSequence(
      lengths.map(n => hostile.values(n * width)),
      { inputSize: width, device: world.device },
    ),
  )
  return made && world.keepOther(made)
}

/** Mostly `usual`, or a size that no module has: a large one would take minutes to draw weights for. */
function size({ hostile }: World, usual: number): number {
  return hostile.once(25) ? hostile.oneOf([0, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 53]) : usual
}

const some = (world: World) => 1 + world.hostile.below(5)
const lengthsOf = (world: World, count: number) => Array.from({ length: count }, () => world.hostile.below(5))

function ops(world: World): void {
  const { hostile } = world
  const [B, width, columns] = [hostile.below(4), some(world), some(world)]
  const lengths = lengthsOf(world, B)
  const query = rowsOf(world, lengthsOf(world, B), width)
  const keys = rowsOf(world, lengths, width)
  const values = rowsOf(world, lengths, columns)
  if (query === null || keys === null || values === null) return
  const options = given(world, {
    ...(hostile.once(2) && { scale: hostile.number(0.5) }),
    ...(hostile.once(2) && { causal: hostile.once(2) }),
  })
  const plain = [query, keys, values].every(x => x instanceof PackedSequence && x.index === null)
  const v = world.float<1>([hostile.once(20) ? hostile.size() : width])
  const dot = () => [dotAttention(query, keys, values, untyped<{ causal: boolean }>(options))]
  const additive = () => [additiveAttention(query, keys, values, v)]
  if (!plain) {
    drive(world, 'dotAttention', dot)
    drive(world, 'additiveAttention', additive)
    return
  }
  const batches = [query, keys, values]
  const inputs: Tensor[] = batches.map(({ data }) => data)
  const reference = (
    found: (q: exact.Rows, k: exact.Rows, x: exact.Rows, v: exact.NdArray) => exact.Attended,
  ) => {
    return (...arrays: exact.NdArray[]) => {
      // Where scores are large, small errors of them are large ones of the weights.
      const moderate = Math.abs(options?.scale ?? 1) < 10
      const finite = moderate && arrays.every(({ data }) => data.every(x => Math.abs(x) < 10))
      const [q, k, x] = batches.map((batch, i) => ({
        rows: arrays[i]!,
        lengths: [...batch.sequences.lengths()],
      }))
      return [finite ? found(q!, k!, x!, arrays[3]!).context.rows : null]
    }
  }
  const tolerance = { tolerance: 1e-4 }
  const dots = reference((q, k, x) => exact.dotAttention(q, k, x, options ?? {}))
  compared(world, 'dotAttention', inputs, dot, dots, tolerance)
  const added = reference(exact.additiveAttention)
  compared(world, 'additiveAttention', [...inputs, v], additive, added, tolerance)
}

function keep(world: World, y: unknown): void {
  if (y instanceof PackedSequence) world.keepOther(y)
  else if (y !== null) world.keep<Tensor>(untyped(y))
}

function modules(world: World): void {
  const { hostile } = world
  const [B, width] = [hostile.below(4), some(world)]
  const score = hostile.oneOf(['dot', 'scaledDot', 'general', 'additive', 'location', 'cosine'] as const)
  const options: nn.ScoreOptions = {
    ...{ device: world.device, generator: new Generator(hostile.below(9)) },
    ...{ score: mostly(world, score), querySize: size(world, width), memorySize: width },
    ...(score === 'location' && { maxLength: size(world, 5) }),
    ...(hostile.once(9) && { scale: hostile.number(2) }),
  }
  const query = rowsOf(world, hostile.once(2) ? lengthsOf(world, B) : new Array<number>(B).fill(1), width)
  const encoded = rowsOf(world, lengthsOf(world, B), width)
  if (query === null || encoded === null) return
  const kinds: Record<string, () => nn.AttentionModule> = {
    Attention: () => new nn.Attention(options),
    LocalAttention: () => new nn.LocalAttention({ ...options, window: hostile.number(2) }),
    HardAttention: () => new nn.HardAttention(options),
  }
  const kind = hostile.oneOf(Object.keys(kinds))
  const module = world.attempt(`nn.${kind}`, kinds[kind]!)
  if (module === null) return
  world.keepOther(module)
  const memory = world.attempt('nn.AttentionModule.memory', () => module.memory(encoded))
  if (memory === null) return
  if (memory.keys !== encoded) world.keepOther(memory.keys)
  keep(
    world,
    world.attempt('nn.AttentionModule.scores', () => module.scores(query, memory)),
  )
  if (module instanceof nn.HardAttention) {
    const found = world.attempt('nn.HardAttention.forward', () =>
      module.forward(query, mostly(world, memory)),
    )
    if (found === null) return
    keep(world, found.context)
    world.keep<Tensor>(found.logProbability)
    world.keep<Tensor>(found.weights)
  } else if (module instanceof nn.Attention || module instanceof nn.LocalAttention) {
    const forward = () =>
      module instanceof nn.Attention ? module.forward(query, memory) : module.forward(query, memory)
    keep(world, world.attempt(`nn.${kind}.forward`, forward))
  }
}

function selfAttention(world: World): void {
  const { hostile } = world
  const inputSize = some(world)
  const x = packed(world, inputSize)
  if (x === null) return
  const options = given(world, {
    ...{ device: world.device, inputSize, causal: hostile.once(2), projections: hostile.once(2) },
    ...(hostile.once(4) && { hiddenSize: size(world, 2) }),
  })
  const module = world.attempt('nn.SelfAttention', () => new nn.SelfAttention(options))
  if (module === null) return
  world.keepOther(module)
  keep(
    world,
    world.attempt('nn.SelfAttention.forward', () => module.forward(x)),
  )
}

export const attentionCalls: Record<string, Call> = {
  attention: ops,
  attentionAgain: ops,
  attentionModule: modules,
  selfAttention,
}
