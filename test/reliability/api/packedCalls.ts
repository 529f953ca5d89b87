import { embedding, embeddingBackward, embeddingForward } from '../../../src/ops/embedding.js'
import {
  fromTimeMajor,
  packPaddedSequence,
  padPackedSequence,
  toTimeMajor,
} from '../../../src/ops/packing.js'
import { lastHidden, lastOutput, maxPool, meanPool } from '../../../src/ops/pooling.js'
import {
  gru,
  gruForward,
  lstm,
  lstmBackward,
  lstmForward,
  rnn,
  rnnBackward,
  rnnForward,
} from '../../../src/ops/recurrent.js'
import type { LstmWeights } from '../../../src/ops/recurrentOptions.js'
import type { RecurrentSaved } from '../../../src/ops/recurrentSaved.js'
import { packedRows } from '../../../src/ops/rows.js'
import { PackedIds, PackedSequence, packIds, packSequence, Sequences } from '../../../src/packed.js'
import { type Tensor, tensor } from '../../../src/tensor.js'
import { embeddingReference, embeddingReferenceBackward } from '../../reference/ops.js'
import { maxPoolReference, meanPoolReference } from '../../reference/pooling.js'
import { cellProductNumbers, cellReferenceNumbers, drawCellProblem } from '../../suite/cellProblem.js'
import type { Call } from './opCalls.js'
import { checkError, untyped, type World } from './world.js'

/** Sequences: packing, embedding, pooling and the recurrent ops. */

/** A packed sequence of rows of that width, live or not; now and then one whose index was made by hand. */
export function packed(world: World, width = world.hostile.width()): PackedSequence | null {
  const { hostile } = world
  const made = world.others.filter(each => each instanceof PackedSequence)
  const fits = made.filter(each => each.data.disposed || each.width === width)
  if (fits.length > 0 && hostile.once(2)) return hostile.oneOf(fits)
  if (hostile.once(12)) return untyped(world.anything())
  const lengths = hostile.lengths()
  const result = world.attempt('packSequence', () => {
    if (hostile.once(4)) return byHand(world, lengths, width)
    const rows = lengths.map(n => hostile.values(n >= 0 && n * width < 1e4 ? n * width : 0))
    return packSequence(rows, { inputSize: width, device: world.device })
  })
  return result && world.keepOther(result)
}

/** Indexed, with numbers that need not fit. */
function byHand(world: World, lengths: number[], width: number): PackedSequence {
  const { hostile, device } = world
  const sequences = new Sequences(lengths)
  const distinct = hostile.below(5)
  const integers = (count: number, below: number) =>
    world.keep(
      tensor(
        Int32Array.from({ length: count }, () => hostile.number(hostile.below(Math.max(1, below)))),
        [count],
        { device },
      ),
    )
  const rows = sequences.rows < 1e4 ? sequences.rows : 0
  const index = {
    index: integers(rows, distinct),
    starts: integers(distinct + 1, rows + 1),
    order: integers(rows, rows),
  }
  return new PackedSequence(world.float<2>([distinct, width]), sequences, index)
}

function pooling(
  name: string,
  pool: (x: PackedSequence) => Tensor<'float32', 2>,
  reference: typeof meanPoolReference,
): Call {
  return world => {
    const x = packed(world)
    if (x === null) return
    const y = world.attempt(name, () => pool(x))
    if (y === null) return
    world.keep(y)
    if (x.index === null)
      world.compare(name, [y], [x.data], rows => [reference(rows, [...x.sequences.lengths()], x.width)])
  }
}

const lastRowReference: typeof meanPoolReference = (rows, lengths, width) => {
  let end = 0
  return Float64Array.from(
    lengths.flatMap(length => {
      end += length
      return length === 0
        ? new Array<number>(width).fill(0)
        : [...rows.subarray((end - 1) * width, end * width)]
    }),
  )
}

/** Weights of one layer and direction, mostly of the shapes that the cell wants. */
function weightsOf(
  world: World,
  gates: number,
  inputs: number,
  hidden: number,
  projSize: number,
): LstmWeights {
  const { hostile } = world
  const rows = gates * hidden
  const bias = !hostile.once(4)
  const state = projSize > 0 ? projSize : hidden
  return {
    wIh: world.float<2>([rows, inputs]),
    wHh: world.float<2>([rows, state]),
    bIh: bias ? world.float<1>([rows]) : null,
    bHh: bias || hostile.once(20) ? world.float<1>([rows]) : null,
    wHr: projSize > 0 ? world.float<2>([projSize, hidden]) : null,
  }
}

/** Layers over any tensors: they throw or return as documented, in any order of use. */
function layers(world: World): void {
  const { hostile } = world
  const inputs = hostile.width()
  const x = packed(world, inputs)
  if (x === null) return
  const name = hostile.oneOf(['lstm', 'gru', 'rnn'] as const)
  const hidden = hostile.once(20) ? hostile.size() : 1 + hostile.below(4)
  const projSize =
    name === 'lstm' && hidden > 1 && hidden < 50 && hostile.once(3) ? 1 + hostile.below(hidden - 1) : 0
  const bidirectional = hostile.once(3)
  const layered = hostile.once(3) ? 2 : 1
  const gates = { lstm: 4, gru: 3, rnn: 1 }[name]
  const [D, R] = [bidirectional ? 2 : 1, projSize > 0 ? projSize : hidden]
  const batch = x instanceof PackedSequence ? x.sequences.batchSize : 1
  const c0 = name === 'lstm' && hostile.once(3) ? world.float<3>([layered * D, batch, hidden]) : null
  const own = {
    lstm: { projSize, c0 },
    gru: { resetAfter: hostile.once(2) },
    rnn: { nonlinearity: hostile.oneOf(['tanh', 'relu'] as const) },
  }
  const options = {
    hiddenSize: hidden,
    numLayers: hostile.once(30) ? hostile.oneOf([0, -1, 1.5, 513]) : layered,
    bidirectional,
    h0: hostile.once(3) ? world.float<3>([layered * D, batch, R]) : null,
    dropout: hostile.once(5) ? hostile.number(0.5) : 0,
    ...(hostile.once(2) && { mask: { seed: hostile.number(3), step: hostile.number(1) } }),
    ...own[name],
    ...(hostile.once(60) && { hidden_size: hidden }),
  }
  const all = world.attempt('weights', () =>
    Array.from({ length: layered * D }, (_, place) =>
      weightsOf(world, gates, place < D ? inputs : D * R, hidden, projSize),
    ),
  )
  if (all === null) return
  const keep = ({ output, hN }: { output: PackedSequence; hN: Tensor<'float32', 3> }) => {
    world.keepOther(output)
    world.keep(hN)
    if (hostile.once(3)) pools(world, output, hN, bidirectional ? 2 : 1)
  }
  if (hostile.once(2)) {
    const taped = world.attempt(name, () => ({ lstm, gru, rnn })[name](x, all, options))
    if (taped !== null) keep(taped)
    return
  }
  const forward = { lstm: lstmForward, gru: gruForward, rnn: rnnForward }[name]
  const result = world.attempt(forward.name, () => forward(x, all, { ...options, train: true }))
  if (result === null) return
  keep(result)
  const saved: RecurrentSaved = world.keepOther(untyped(result.saved))
  const rows = x.sequences.rows
  const gradients = {
    dOutput: hostile.once(4) ? null : world.float<2>([rows < 1e4 ? rows : 1, D * R]),
    dHN: hostile.once(2) ? null : world.float<3>([layered * D, batch, R]),
  }
  if (hostile.once(8)) saved.dispose()
  const backward = name === 'lstm' || hostile.once(10) ? lstmBackward : rnnBackward
  for (let times = hostile.once(5) ? 2 : 1; times > 0; times--) {
    const back = world.attempt(backward.name, () => backward(saved, gradients))
    if (back === null) continue
    for (const each of [back.dInput, back.dH0]) if (each !== null) world.keep<Tensor>(each)
    for (const parts of back.dWeights)
      for (const part of Object.values(parts)) if (part) world.keep<Tensor>(part)
  }
}

function pools(world: World, output: PackedSequence, hN: Tensor<'float32', 3>, directions: 1 | 2): void {
  for (const pool of [lastOutput, maxPool, meanPool]) {
    const y = world.attempt(pool.name, () => pool(output))
    if (y !== null) world.keep(y)
  }
  const last = world.attempt('lastHidden', () => lastHidden(hN, directions))
  if (last !== null) world.keep(last)
}

export const packedCalls: Record<string, Call> = {
  Sequences(world) {
    const lengths = world.hostile.lengths()
    const made = world.attempt('Sequences', () => new Sequences(lengths))
    if (made !== null && made.rows !== lengths.reduce((a, b) => a + b, 0)) throw new Error('Sequences: rows')
  },
  embedding(world) {
    const { hostile } = world
    const most = hostile.width()
    const weight = world.float<2>([most, hostile.size()])
    const documents = hostile.ids(most < 1e4 ? Math.max(1, Math.floor(most)) : 5)
    const ids = hostile.once(2)
      ? world.attempt('packIds', () => packIds(documents))
      : world.attempt('PackedIds', () => new PackedIds(documents))
    if (ids === null) return
    const paddingIdx = hostile.once(3) ? hostile.number(0) : null
    const run = hostile.once(2)
    if (run) {
      const y = world.attempt('embedding', () => embedding(weight, ids, { paddingIdx }))
      if (y !== null) world.keepOther(y)
      return
    }
    const result = world.attempt('embeddingForward', () => embeddingForward(weight, ids, { paddingIdx }))
    if (result === null) return
    const { output, saved } = result
    const [V, I] = weight.shape
    world.keepOther(output)
    world.keep(saved.rows)
    const rows = world.keep(packedRows(output))
    world.compare('embeddingForward', [rows], [weight], table => [embeddingReference(table, ids.ids, I)], {
      exact: true,
    })
    const distinct = [...new Set(ids.ids)].sort((a, b) => a - b)
    const dRows = world.float<2>([distinct.length, I])
    const dWeight = world.attempt('embeddingBackward', () => embeddingBackward(saved, dRows))
    if (dWeight === null) return
    world.keep(dWeight)
    const width = dRows.shape[1] // not the table's where something else was drawn
    const kept = (d: Float64Array) =>
      d.map((g, n) => (distinct[Math.floor(n / width)] === paddingIdx ? 0 : g))
    const summed = (d: Float64Array) => [embeddingReferenceBackward(kept(d), distinct, width, V)]
    world.compare('embeddingBackward', [dWeight], [dRows], summed, { exact: true })
  },
  packSequence(world) {
    packed(world)
  },
  packedRows(world) {
    const x = packed(world)
    if (x === null) return
    const rows = world.attempt('packedRows', () => packedRows(x))
    if (rows === null) return
    world.keep(rows)
    if (x.index === null) return
    const inputs: Tensor[] = [x.data, x.index.index]
    if (!inputs.every(each => each.host === null || each.host.every(id => id < x.data.shape[0]))) return
    world.compare(
      'packedRows',
      [rows],
      inputs,
      (table, index) => [
        Float64Array.from({ length: index.length * x.width }, (_, n) => {
          const id = index[Math.floor(n / x.width)]!
          return id < 0 ? 0 : table[id * x.width + (n % x.width)]!
        }),
      ],
      { exact: true },
    )
  },
  padding(world) {
    const { hostile } = world
    const batchFirst = hostile.once(2)
    const [most, batch] = [hostile.size(), hostile.width()]
    const input = world.float<3>([...(batchFirst ? [batch, most] : [most, batch]), hostile.size()])
    const lengths = hostile.once(6)
      ? hostile.lengths()
      : Array.from({ length: batch < 50 ? Math.max(0, Math.floor(batch)) : 1 }, () =>
          hostile.below(most > 0 && most < 1e3 ? Math.floor(most) + 1 : 1),
        )
    const options = { batchFirst, enforceSorted: hostile.once(5) }
    const made = world.attempt('packPaddedSequence', () => packPaddedSequence(input, lengths, options))
    if (made === null) return
    world.keepOther(made)
    const I = input.shape[2]
    const [B, T] = batchFirst ? input.shape : [input.shape[1], input.shape[0]]
    world.compare(
      'packPaddedSequence',
      [made.data],
      [input],
      values => [
        Float64Array.from(
          lengths.flatMap((length, b) =>
            Array.from({ length: length * I }, (_, n) => {
              const [t, i] = [Math.floor(n / I), n % I]
              return values[(batchFirst ? b * T + t : t * B + b) * I + i]!
            }),
          ),
        ),
      ],
      { exact: true },
    )
    const longest = Math.max(0, ...lengths)
    const back = world.attempt('padPackedSequence', () =>
      padPackedSequence(made, {
        batchFirst,
        ...(hostile.once(4) && { totalLength: longest + hostile.size() }),
        paddingValue: hostile.once(4) ? hostile.number(2) : 0,
      }),
    )
    if (back !== null) world.keep(back.output)
    const major = world.attempt('toTimeMajor', () => toTimeMajor(made))
    if (major === null) return
    world.keep(major.data)
    if (hostile.once(5)) major.sortedIndices[0] = hostile.number(1)
    if (hostile.once(5)) major.batchSizes[0] = hostile.number(1)
    const again = world.attempt('fromTimeMajor', () => fromTimeMajor(major))
    if (again !== null) world.keepOther(again)
  },
  lastHidden(world) {
    const { hostile } = world
    const hN = world.float<3>([hostile.oneOf([1, 2, 4]), hostile.size(), hostile.size()])
    const y = world.attempt('lastHidden', () =>
      lastHidden(hN, hostile.once(20) ? untyped(hostile.size()) : hostile.oneOf([1, 2])),
    )
    if (y !== null) world.keep(y)
  },
  maxPool: pooling('maxPool', maxPool, (rows, lengths, width) => maxPoolReference(rows, lengths, width)),
  meanPool: pooling('meanPool', meanPool, meanPoolReference),
  lastOutput: pooling('lastOutput', lastOutput, lastRowReference),
  layers,
  /** Layers of moderate numbers, with all gradients, beside the reference. */
  recurrent(world) {
    const { hostile } = world
    const cell = hostile.oneOf(['lstm', 'gru', 'resetFirstGru', 'tanh', 'relu'] as const)
    const hiddenSize = 1 + hostile.below(hostile.oneOf([3, 9, 20]))
    const sizes = {
      lengths: Array.from({ length: 1 + hostile.below(4) }, () => hostile.below(6)),
      inputSize: 1 + hostile.below(6),
      hiddenSize,
      projSize: hiddenSize > 1 && hostile.once(3) ? 1 + hostile.below(hiddenSize - 1) : 0,
      numLayers: 1 + hostile.below(2),
      bidirectional: hostile.once(2),
      absent: (['bias', 'h0', 'c0'] as const).filter(() => hostile.once(4)),
    }
    const problem = drawCellProblem(cell, sizes, hostile.below(2 ** 31))
    world.later(async () => {
      const found = await cellProductNumbers(world.device, problem).catch(error => {
        if (checkError(error).code !== 'ERR_OUT_OF_MEMORY')
          throw new Error('a good layer failed', { cause: error })
        return null
      })
      if (found === null) return
      for (const [name, expected] of Object.entries(cellReferenceNumbers(problem))) {
        const got = found[name]
        const scale = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
        if (got?.length !== expected.length)
          throw new Error(`${cell}: ${name}: wanted ${expected.length} numbers, got ${got?.length}`)
        const wrong = expected.findIndex((x, i) => !(Math.abs(got[i]! - x) <= 2e-5 * scale))
        if (wrong >= 0)
          throw new Error(`${cell}: ${name}[${wrong}]: wanted ${expected[wrong]}, got ${got[wrong]}`)
      }
    })
  },
}
