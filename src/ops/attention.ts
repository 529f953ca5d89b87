import { record } from '../autograd.js'
import { checkFloat, checkNumber, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { kernelOffsets, PackedSequence, Sequences } from '../packed.js'
import { checkShape, empty, type Matrix, Tensor, type Vector } from '../tensor.js'
import { LARGE } from './dims.js'
import { checkPacked, withRows } from './rows.js'

/**
 * Attention of packed queries over packed keys. A sequence's queries attend to the keys of the same sequence,
 * and nothing is padded or masked.
 */

/** Options of `additiveAttention`. */
export interface AttentionOptions {
  /** Whether to return the weights too; default false. */
  weights?: boolean
}
/** Options of `dotAttention`. */
export interface DotAttentionOptions extends AttentionOptions {
  /** A factor of the scores; default 1. Vaswani et al. 2017 use 1/√A. */
  scale?: number
  /** Whether query i of a sequence attends only to keys 0 to i; default false. */
  causal?: boolean
}
const additiveNames: OptionNames<AttentionOptions> = { weights: true }
const dotNames: OptionNames<DotAttentionOptions> = { ...additiveNames, scale: true, causal: true }

/** A context for each query, and the weights it was made with. */
export interface Attended<Query extends Matrix | PackedSequence = Matrix | PackedSequence> {
  /** In the form of `query`, with as many columns as `values`. */
  readonly context: Query
  /**
   * Σ_b M_b · N_b numbers for M_b queries and N_b keys in sequence b: sequence after sequence, and the N_b weights of a
   * query together. They carry no gradient.
   */
  readonly weights: Vector
}

/** One query for each sequence. */
const single = new WeakMap<Sequences, Sequences>()
function oneEach(sequences: Sequences): Sequences {
  let found = single.get(sequences)
  if (found === undefined) {
    found = new Sequences(new Int32Array(sequences.batchSize).fill(1))
    single.set(sequences, found)
  }
  return found
}

function sameLengths(a: Sequences, b: Sequences): boolean {
  if (a === b) return true
  const [left, right] = [kernelOffsets(a), kernelOffsets(b)]
  return left.length === right.length && left.every((offset, i) => offset === right[i])
}

function pairsOf(queries: Sequences, keys: Sequences): number {
  const [left, right] = [kernelOffsets(queries), kernelOffsets(keys)]
  let pairs = 0
  for (let b = 0; b + 1 < left.length; b++) {
    pairs += (left[b + 1]! - left[b]!) * (right[b + 1]! - right[b]!)
  }
  return pairs
}

/** The rows of the three batches, and where their sequences are. */
interface Given {
  query: Matrix
  key: Matrix
  values: Matrix
  queries: Sequences
  keys: Sequences
}

/** Checks the batches, and calls `f` with their rows. */
function withBatches<T>(
  op: string,
  query: Matrix | PackedSequence,
  keys: PackedSequence,
  values: PackedSequence,
  f: (given: Given) => T,
): T {
  checkPacked(op, 'keys', keys)
  checkPacked(op, 'values', values)
  const packed = query instanceof PackedSequence
  if (packed) checkPacked(op, 'query', query)
  else if (!(query instanceof Tensor)) throw badArgument(op, 'query', 'a packed sequence or a matrix', query)
  const { device } = keys.data
  const { batchSize } = keys.sequences
  checkFloat(op, 'values', values.data, device)
  if (!sameLengths(values.sequences, keys.sequences)) {
    throw badArgument(
      op,
      'values',
      'sequences as long as those of keys',
      values.sequences.offsets,
      'ERR_SHAPE',
    )
  }
  const rowsOf = (x: PackedSequence, name: string, g: (rows: Matrix) => T) => withRows(op, x, g, name)
  const withKeys = (rows: Matrix, queries: Sequences) =>
    rowsOf(keys, 'keys', key =>
      rowsOf(values, 'values', own => f({ query: rows, key, values: own, queries, keys: keys.sequences })),
    )
  if (!packed) {
    checkTensor(op, 'query', query, { dtype: 'float32', shape: [batchSize, keys.width], device })
    return withKeys(query, oneEach(keys.sequences))
  }
  checkFloat(op, 'query', query.data, device)
  if (query.width !== keys.width) {
    throw badArgument(op, 'query', `rows of ${keys.width} numbers`, query.width, 'ERR_SHAPE')
  }
  if (query.sequences.batchSize !== batchSize) {
    throw badArgument(op, 'query', `${batchSize} sequences`, query.sequences.batchSize, 'ERR_SHAPE')
  }
  return rowsOf(query, 'query', rows => withKeys(rows, query.sequences))
}

/** Returns new weights and contexts, and the sizes that both passes of an op have in common. */
function prepared(op: string, { query, values, queries, keys }: Given) {
  const [width, columns] = [query.shape[1], values.shape[1]]
  const pairs = pairsOf(queries, keys)
  checkShape(op, [pairs])
  checkShape(op, [queries.rows, columns])
  return {
    sizes: { queries: kernelOffsets(queries), keys: kernelOffsets(keys), width, columns },
    weights: empty<1>(query.device, [pairs]),
    context: empty<2>(query.device, [queries.rows, columns]),
  }
}

/** New memory for a gradient in the shape of an input, if it is wanted. */
function gradientOf(input: Matrix | Vector, wanted: boolean | undefined) {
  return wanted === true ? empty<number>(input.device, input.shape) : null
}

function inFormOf(query: Matrix | PackedSequence, context: Matrix): Matrix | PackedSequence {
  return query instanceof PackedSequence ? new PackedSequence(context, query.sequences) : context
}

/** What the caller gets of a context and its weights. */
function result(
  query: Matrix | PackedSequence,
  { context, weights }: { context: Matrix; weights: Vector },
  wantsWeights: boolean,
): Matrix | PackedSequence | Attended {
  const formed = inFormOf(query, context)
  if (wantsWeights) return { context: formed, weights }
  weights.dispose()
  return formed
}

/**
 * Returns for each query the mean of its sequence's values, weighted by products with their keys. For query i and
 * the keys j of its sequence, weights = softmax_j(scale · q_i · k_j) and context = Σ_j weights_j values_j. The score
 * is Luong et al. 2015's `dot`; with `scale` 1/√A it is Vaswani et al. 2017's. Sums are float32 in every precision.
 *
 * @param query rows of A numbers: a packed batch with any number of queries in each sequence, or a matrix [B, A]
 * with one for each sequence.
 * @param keys rows of A numbers, in as many sequences.
 * @param values rows of C numbers, one for each key. May be the same batch as `keys`.
 * @param options `scale`, `causal`, `weights`.
 * @returns rows of C numbers in the form of `query`; zeros for a query without keys. With `weights: true`, the
 * context and the weights, which carry no gradient.
 * @throws PackedRnnError ERR_SHAPE if widths or numbers of sequences differ; ERR_DEVICE.
 * @example
 * ```ts
 * import { dotAttention, packSequence, tensor } from 'packed-rnn'
 *
 * const keys = packSequence([Float32Array.of(0, 9), Float32Array.of(1)], { inputSize: 1 })
 * const values = packSequence([Float32Array.of(1, 2), Float32Array.of(3)], { inputSize: 1 })
 * const context = dotAttention(tensor([2, 5], [2, 1]), keys, values)
 * console.log(context.shape, await context.toArray()) // [2, 1] Float32Array(2) [2, 3]
 * ```
 */
export function dotAttention(
  query: Matrix,
  keys: PackedSequence,
  values: PackedSequence,
  options?: DotAttentionOptions & { weights?: false },
): Matrix
export function dotAttention(
  query: PackedSequence,
  keys: PackedSequence,
  values: PackedSequence,
  options?: DotAttentionOptions & { weights?: false },
): PackedSequence
export function dotAttention<Query extends Matrix | PackedSequence>(
  query: Query,
  keys: PackedSequence,
  values: PackedSequence,
  options: DotAttentionOptions & { weights: true },
): Attended<Query>
export function dotAttention(
  query: Matrix | PackedSequence,
  keys: PackedSequence,
  values: PackedSequence,
  options: DotAttentionOptions = {},
): Matrix | PackedSequence | Attended {
  const op = 'dotAttention'
  checkOptions(op, options, dotNames)
  const { scale = 1, causal = false } = options
  checkNumber(op, 'scale', scale, -LARGE, LARGE)
  const made = withBatches(op, query, keys, values, given => {
    const { sizes, weights, context } = prepared(op, given)
    const all = { ...sizes, scale, causal }
    const buffers = { query: given.query.buffer, key: given.key.buffer, values: given.values.buffer }
    const outputs = { weights: weights.buffer, context: context.buffer }
    native.dotAttention(context.device.queue, { ...all, ...buffers, ...outputs })
    record(op, [given.query, given.key, given.values], [context], keeper => {
      const heldQuery = keeper.hold(given.query)
      const heldKey = keeper.hold(given.key)
      const heldValues = keeper.hold(given.values)
      const heldWeights = keeper.hold(weights)
      return ([dContext], wanted) => {
        if (!dContext) return []
        const dQuery = gradientOf(heldQuery, wanted[0])
        const dKey = gradientOf(heldKey, wanted[1])
        const dValues = gradientOf(heldValues, wanted[2])
        native.dotAttentionBackward(dContext.device.queue, {
          ...all,
          query: heldQuery.buffer,
          key: heldKey.buffer,
          values: heldValues.buffer,
          weights: heldWeights.buffer,
          dContext: dContext.buffer,
          dQuery: dQuery?.buffer ?? null,
          dKey: dKey?.buffer ?? null,
          dValues: dValues?.buffer ?? null,
        })
        return [dQuery, dKey, dValues]
      }
    })
    return { context, weights }
  })
  return result(query, made, options.weights === true)
}

/**
 * Returns for each query the mean of its sequence's values, weighted by additive scores (Bahdanau et al. 2015): for
 * query i and the keys j of its sequence, weights = softmax_j(Σ_a v[a] tanh(q_i[a] + k_j[a])) and context = Σ_j
 * weights_j values_j. The paper's W s and U h are `query` and `keys`: project the keys once for all queries. The
 * forward pass keeps the weights, and the backward pass computes the tanh again.
 *
 * @param query projected rows of A numbers: a packed batch with any number of queries in each sequence, or a
 * matrix [B, A] with one for each sequence.
 * @param keys projected rows of A numbers, in as many sequences.
 * @param values rows of C numbers, one for each key.
 * @param v [A]
 * @param options `weights`.
 * @returns rows of C numbers in the form of `query`; zeros for a query without keys. With `weights: true`, the
 * context and the weights, which carry no gradient.
 * @throws PackedRnnError ERR_SHAPE if widths or numbers of sequences differ; ERR_DEVICE.
 * @example
 * ```ts
 * import { additiveAttention, packSequence, tensor } from 'packed-rnn'
 *
 * const keys = packSequence([Float32Array.of(1, 1), new Float32Array()], { inputSize: 1 })
 * const values = packSequence([Float32Array.of(2, 4), new Float32Array()], { inputSize: 1 })
 * const options = { weights: true } as const
 * const { context, weights } = additiveAttention(tensor([2, 5], [2, 1]), keys, values, tensor([1]), options)
 * console.log(await context.toArray(), await weights.toArray()) // Float32Array(2) [3, 0] Float32Array(2) [0.5, 0.5]
 * ```
 */
export function additiveAttention(
  query: Matrix,
  keys: PackedSequence,
  values: PackedSequence,
  v: Vector,
  options?: AttentionOptions & { weights?: false },
): Matrix
export function additiveAttention(
  query: PackedSequence,
  keys: PackedSequence,
  values: PackedSequence,
  v: Vector,
  options?: AttentionOptions & { weights?: false },
): PackedSequence
export function additiveAttention<Query extends Matrix | PackedSequence>(
  query: Query,
  keys: PackedSequence,
  values: PackedSequence,
  v: Vector,
  options: AttentionOptions & { weights: true },
): Attended<Query>
export function additiveAttention(
  query: Matrix | PackedSequence,
  keys: PackedSequence,
  values: PackedSequence,
  v: Vector,
  options: AttentionOptions = {},
): Matrix | PackedSequence | Attended {
  const op = 'additiveAttention'
  checkOptions(op, options, additiveNames)
  const made = withBatches(op, query, keys, values, given => {
    const { width } = keys
    checkTensor(op, 'v', v, { dtype: 'float32', shape: [width], device: given.key.device })
    const { sizes, weights, context } = prepared(op, given)
    const buffers = { query: given.query.buffer, key: given.key.buffer, values: given.values.buffer }
    const outputs = { weights: weights.buffer, context: context.buffer }
    native.additiveAttention(context.device.queue, { ...sizes, ...buffers, v: v.buffer, ...outputs })
    record(op, [given.query, given.key, given.values, v], [context], keeper => {
      const heldQuery = keeper.hold(given.query)
      const heldKey = keeper.hold(given.key)
      const heldValues = keeper.hold(given.values)
      const heldV = keeper.hold(v)
      const heldWeights = keeper.hold(weights)
      return ([dContext], wanted) => {
        if (!dContext) return []
        const dQuery = gradientOf(heldQuery, wanted[0])
        const dKey = gradientOf(heldKey, wanted[1])
        const dValues = gradientOf(heldValues, wanted[2])
        const dV = gradientOf(heldV, wanted[3])
        native.additiveAttentionBackward(dContext.device.queue, {
          ...sizes,
          query: heldQuery.buffer,
          key: heldKey.buffer,
          values: heldValues.buffer,
          v: heldV.buffer,
          weights: heldWeights.buffer,
          dContext: dContext.buffer,
          dQuery: dQuery?.buffer ?? null,
          dKey: dKey?.buffer ?? null,
          dValues: dValues?.buffer ?? null,
          dV: dV?.buffer ?? null,
        })
        return [dQuery, dKey, dValues, dV]
      }
    })
    return { context, weights }
  })
  return result(query, made, options.weights === true)
}
