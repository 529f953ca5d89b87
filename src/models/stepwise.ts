import { noGrad } from '../autograd.js'
import { indexSelect } from '../ops/indexing.js'
import { cat, split } from '../ops/join.js'
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
  logits(features: Matrix): Matrix
}

/** The sentences of a step: those of the target that have a word there. */
interface Step {
  /** A row for each sentence that goes on, none for one that has ended. */
  sequences: Sequences
  /** Which rows of the step before they are; null where all go on. */
  kept: Int32Array | null
  /** Where the step's words stand in the target. */
  places: Int32Array
}

/**
 * The features of a decoder for each word of the target, a step at a time. Step t has a row for each sentence that has a word t:
 * sentences that have ended leave the state, and nothing is computed for them.
 *
 * @param forced whether step t reads the target's words, or those that the step before found most likely; true for step 0.
 * @param weights whether the weights of the attention are kept.
 * @returns features [N, F], in the order of the target's words; and the weights of each step.
 * @internal
 */
export function stepwise(
  writer: Writer,
  target: PackedIds,
  forced: readonly boolean[],
  state: DecoderState,
  memory: Memory,
  weights = false,
): { features: Matrix; steps: { sequences: Sequences; weights: Tensor<'float32', 1> | null }[] } {
  const { decoder } = writer
  const steps = stepsOf(target.sequences)
  const given = forcedWords(
    decoder,
    target,
    steps.filter((_, t) => forced[t]),
  )
  const features: Matrix[] = []
  const looked: (Tensor<'float32', 1> | null)[] = []
  let at = state
  for (const [t, { sequences, kept }] of steps.entries()) {
    if (kept !== null) at = keptStates(at, kept)
    const before = features.at(-1)
    const own = forced[t] || before === undefined ? given.shift()! : likeliest(writer, before, kept)
    const made = decoder.step({ words: own, sequences, state: at, memory, weights })
    at = made.state
    features.push(made.features)
    looked.push(made.weights)
  }
  const places = new Int32Array(target.sequences.rows)
  for (const [i, place] of steps.flatMap(step => [...step.places]).entries()) places[place] = i
  return {
    features: keptRows(cat(features), places),
    steps: steps.map(({ sequences }, t) => ({ sequences, weights: looked[t]! })),
  }
}

/** The steps of a batch of sentences; its sentences may stand in any order. */
function stepsOf(target: Sequences): Step[] {
  const { batchSize } = target
  let going = Array.from({ length: batchSize }, (_, b) => b)
  return Array.from({ length: target.longest() }, (_, t) => {
    const rows = going.flatMap((b, row) => (target.length(b) > t ? [row] : []))
    const kept = rows.length === going.length && t > 0 ? null : Int32Array.from(rows)
    going = rows.map(row => going[row]!)
    const lengths = new Int32Array(batchSize)
    for (const b of going) lengths[b] = 1
    const all = t === 0 && rows.length === batchSize
    return {
      sequences: new Sequences(lengths),
      kept: all ? null : kept,
      places: Int32Array.from(going, b => target.offsets[b]! + t),
    }
  })
}

/** The words of the target at some steps, each [M, E]; with dropout. */
function forcedWords(decoder: Decoder, { ids }: PackedIds, steps: readonly Step[]): Matrix[] {
  const words = new PackedIds(steps.map(({ places }) => places.map(place => ids[place]!)))
  const rows = packedRows(decoder.dropout.forward(decoder.embedding.forward(words)))
  return split(rows, [...words.sequences.lengths()])
}

/** The words that were most likely after a step [M, E]; with dropout. */
function likeliest(writer: Writer, features: Matrix, kept: Int32Array | null): Matrix {
  const { embedding, dropout } = writer.decoder
  const words = noGrad(() =>
    scope(() => argmax(writer.logits(kept === null ? features : keptRows(features, kept)), { dim: 1 })),
  )
  return dropout.forward(indexSelect(embedding.weight, 0, words))
}

function keptStates({ h, c, fed }: DecoderState, kept: Int32Array): DecoderState {
  const cube = (states: Tensor<'float32', 3>) => {
    const [, layers, width] = states.shape
    return selectRows<3>('Seq2Seq', states, kept, layers * width, [kept.length, layers, width])
  }
  return { h: cube(h), c: c && cube(c), fed: fed && keptRows(fed, kept) }
}

function keptRows(rows: Matrix, kept: Int32Array): Matrix {
  const width = rows.shape[1]
  return selectRows<2>('Seq2Seq', rows, kept, width, [kept.length, width])
}
