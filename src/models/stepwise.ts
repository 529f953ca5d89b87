import { noGrad } from '../autograd.js'
import type { Linear } from '../nn/index.js'
import { viaBits } from '../ops/bits.js'
import { indexSelect } from '../ops/indexing.js'
import { split } from '../ops/join.js'
import { argmax } from '../ops/order.js'
import { packedRows, selectRows } from '../ops/rows.js'
import { PackedIds, Sequences } from '../packed.js'
import { scope } from '../scope.js'
import type { Matrix, Tensor } from '../tensor.js'
import type { DecoderState } from './decoderCell.js'
import type { Decoder, Memory } from './decoders.js'

/** A decoder, and the layers on its features. */
interface Writer {
  readonly decoder: Decoder
  readonly project: Linear | null
  readonly output: Linear
}

/** The sentences of a step: those of the target that have a word there. */
interface Step {
  /** A row for each sentence that continues, none for one that has ended. */
  sequences: Sequences
  /** Which rows of the step before they are; null if all continue. */
  kept: Int32Array | null
  /** Where the step's words stand in the target. */
  places: Int32Array
}

/** What a step leaves for the output layer. */
export interface StepRows {
  sequences: Sequences
  places: Int32Array
  /** What the output layer reads [M, F]. */
  rows: Matrix
  /** Its logits [M, V] if the next step needed them, without a tape. */
  logits: Matrix | null
  /** The weights of the attention, if asked for. */
  weights: Tensor<'float32', 1> | null
}

/**
 * Runs a decoder a step at a time. Step t has a row for each sentence that has a word t: sentences that have ended leave the
 * state, and nothing is computed for them.
 *
 * @param forced whether step t reads the target's words, or those that the step before found most likely; true for step 0.
 * @param weights whether the weights of the attention are kept.
 * @internal
 */
export function stepwise(
  writer: Writer,
  target: PackedIds,
  forced: readonly boolean[],
  state: DecoderState,
  memory: Memory,
  weights = false,
): StepRows[] {
  const { decoder, project } = writer
  const steps = stepsOf(target.sequences)
  const given = forcedWords(
    decoder,
    target,
    steps.filter((_, t) => forced[t]),
  )
  const made: StepRows[] = []
  let at = state
  for (const [t, { sequences, kept, places }] of steps.entries()) {
    if (kept !== null) at = keptStates(at, kept)
    const before = made.at(-1)
    const words = forced[t] || before === undefined ? given.shift()! : likeliest(writer, before, kept)
    const step = decoder.step({ words, sequences, state: at, memory, weights })
    at = step.state
    const rows = project === null ? step.features : project.forward(step.features)
    made.push({ sequences, places, rows, logits: null, weights: step.weights })
  }
  return made
}

/** The steps of a batch of sentences; its sentences may stand in any order. */
function stepsOf(target: Sequences): Step[] {
  const { batchSize, offsets } = target
  let going = Array.from({ length: batchSize }, (_, b) => b)
  return Array.from({ length: target.longest() }, (_, t) => {
    const rows = going.flatMap((b, row) => (target.length(b) > t ? [row] : []))
    const kept = rows.length === going.length ? null : Int32Array.from(rows)
    going = rows.map(row => going[row]!)
    const lengths = new Int32Array(batchSize)
    for (const b of going) lengths[b] = 1
    return { sequences: new Sequences(lengths), kept, places: Int32Array.from(going, b => offsets[b]! + t) }
  })
}

/** The words of the target at some steps, each [M, E]; with dropout. */
function forcedWords(decoder: Decoder, { ids }: PackedIds, steps: readonly Step[]): Matrix[] {
  const words = new PackedIds(steps.map(({ places }) => places.map(place => ids[place]!)))
  const rows = packedRows(decoder.dropout.forward(decoder.embedding.forward(words)))
  return split(rows, [...words.sequences.lengths()])
}

/** The words that were most likely after a step [M, E]; with dropout. The step keeps its logits. */
function likeliest({ decoder, output }: Writer, before: StepRows, kept: Int32Array | null): Matrix {
  const logits = noGrad(() => output.forward(before.rows))
  before.logits = logits
  const words = noGrad(() =>
    scope(() => {
      const all = argmax(logits, { dim: 1 })
      return kept === null ? all : viaBits(all, ids => selectRows('Seq2Seq', ids, kept, 1, [kept.length]))
    }),
  )
  return decoder.dropout.forward(indexSelect(decoder.embedding.weight, 0, words))
}

function keptStates({ h, c, fed }: DecoderState, kept: Int32Array): DecoderState {
  const cube = (states: Tensor<'float32', 3>) => {
    const [, layers, width] = states.shape
    return selectRows<3>('Seq2Seq', states, kept, layers * width, [kept.length, layers, width])
  }
  return { h: cube(h), c: c && cube(c), fed: fed && keptRows(fed, kept) }
}

/** Rows of a matrix, each at most once. @internal */
export function keptRows(rows: Matrix, kept: Int32Array): Matrix {
  const width = rows.shape[1]
  return selectRows<2>('Seq2Seq', rows, kept, width, [kept.length, width])
}
