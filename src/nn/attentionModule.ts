import { anySize, checkInteger, checkNumber, checkTensor, checkWord, type OptionNames } from '../check.js'
import { badArgument } from '../errors.js'
import { add, div, maximum, mul, tanh } from '../ops/elementwise.js'
import { indexSelect, oneHot } from '../ops/indexing.js'
import { norm, sum } from '../ops/reduce.js'
import { checkPacked, packedRows, withRows } from '../ops/rows.js'
import { repeatRows } from '../ops/sequences.js'
import { PackedSequence, Sequences } from '../packed.js'
import { scope } from '../scope.js'
import { type Matrix, ranked, Tensor } from '../tensor.js'
import { Linear } from './linear.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** How a query s and an encoded row h are compared. See `Attention`. */
export type AttentionScore = 'dot' | 'scaledDot' | 'general' | 'additive' | 'location' | 'cosine'
const scores: readonly AttentionScore[] = ['dot', 'scaledDot', 'general', 'additive', 'location', 'cosine']

/** Options of the attention modules. */
export interface ScoreOptions extends ModuleOptions {
  /** The score. */
  score: AttentionScore
  /** Numbers in a query. */
  querySize: number
  /** Numbers in an encoded row. The scores `dot`, `scaledDot` and `cosine` need as many as in a query. */
  memorySize: number
  /** A, the units of the score `additive`; default `querySize`. */
  hiddenSize?: number
  /** The longest sequence that the score `location` can attend to; required for it. */
  maxLength?: number
  /** Whether the projections of `additive` and `location` have a bias; default false, as in the papers. */
  bias?: boolean
  /** A factor of the scores `dot`, `general` and `cosine`; default 1. */
  scale?: number
}
/** @internal */
export const scoreNames: OptionNames<ScoreOptions> = {
  ...moduleNames,
  score: true,
  querySize: true,
  memorySize: true,
  hiddenSize: true,
  maxLength: true,
  bias: true,
  scale: true,
}

/** An encoded batch, as `memory` prepares it for all queries. */
export interface AttentionMemory {
  /** The encoded rows as the score reads them: projected, normalised, or their positions. */
  readonly keys: PackedSequence
  /** The encoded rows. */
  readonly values: PackedSequence
}

/** Norms below this count as this, as in torch.nn.functional.cosine_similarity. */
const LEAST_NORM = 1e-8

/**
 * What the attention modules share: a score and its parameters. `Attention` returns the mean of all encoded rows,
 * `LocalAttention` of those near a predicted position, and `HardAttention` one row.
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const attention: nn.AttentionModule = new nn.Attention({ score: 'dot', querySize: 3, memorySize: 3 })
 * const memory = attention.memory(packSequence([new Float32Array(6), new Float32Array(12)], { inputSize: 3 }))
 * console.log(attention.scores(randn([2, 3]), memory).data.shape) // [6, 1]
 * ```
 */
export abstract class AttentionModule extends Module {
  readonly score: AttentionScore
  readonly querySize: number
  readonly memorySize: number
  /** W of the query: [A, querySize] for `additive`, [maxLength, querySize] for `location`. */
  query: Linear | null = null
  /** Of the encoded rows: U [A, memorySize] for `additive`, W [querySize, memorySize] for `general`. */
  key: Linear | null = null
  /** v [1, A] of `additive`. */
  v: Linear | null = null
  /** The factor of dot products. @internal */
  protected readonly scale: number
  /** The module's name in errors. @internal */
  protected readonly op: string
  readonly #maxLength: number

  /** @internal */
  constructor(op: string, options: ScoreOptions) {
    super(options)
    const { score, querySize, memorySize, bias = false, maxLength } = options
    checkWord(op, 'score', score, scores)
    checkInteger(op, 'querySize', querySize, 1)
    checkInteger(op, 'memorySize', memorySize, 1)
    const { hiddenSize = querySize, scale = 1 } = options
    checkInteger(op, 'hiddenSize', hiddenSize, 1)
    checkNumber(op, 'scale', scale, -Infinity)
    const has: Record<'hiddenSize' | 'maxLength' | 'bias' | 'scale', readonly AttentionScore[]> = {
      hiddenSize: ['additive'],
      maxLength: ['location'],
      bias: ['additive', 'location'],
      scale: ['dot', 'general', 'cosine'],
    }
    for (const name of ['hiddenSize', 'maxLength', 'bias', 'scale'] as const) {
      if (options[name] === undefined || has[name].includes(score)) continue
      throw badArgument(op, name, `none for the score ${score}`, options[name])
    }
    if (['dot', 'scaledDot', 'cosine'].includes(score) && memorySize !== querySize) {
      throw badArgument(op, 'memorySize', `querySize ${querySize} for the score ${score}`, memorySize)
    }
    this.op = op
    this.score = score
    this.querySize = querySize
    this.memorySize = memorySize
    this.scale = score === 'scaledDot' ? 1 / Math.sqrt(querySize) : scale
    const { device, generator } = this
    const linear = (inFeatures: number, outFeatures: number, withBias: boolean) =>
      new Linear({ inFeatures, outFeatures, bias: withBias, device, generator })
    if (score === 'location') {
      checkInteger(op, 'maxLength', maxLength ?? Number.NaN, 1)
      this.query = linear(querySize, maxLength ?? 1, bias)
    }
    if (score === 'general') this.key = linear(memorySize, querySize, false)
    if (score === 'additive') {
      this.query = linear(querySize, hiddenSize, bias)
      this.key = linear(memorySize, hiddenSize, bias)
      this.v = linear(hiddenSize, 1, false)
    }
    this.#maxLength = score === 'location' ? (maxLength ?? 1) : Infinity
  }

  /**
   * Prepares encoded rows: projects them once for all queries that follow.
   *
   * @param encoded rows of `memorySize` numbers.
   * @returns keys and values. The values are `encoded` itself, and the keys too for `dot` and `scaledDot`.
   * @throws PackedRnnError ERR_SHAPE if rows have another width, or with `location` if a sequence is longer than
   * `maxLength`.
   */
  memory(encoded: PackedSequence): AttentionMemory {
    const op = `${this.op}.memory`
    checkPacked(op, 'encoded', encoded)
    const { device, memorySize } = this
    checkTensor(op, 'encoded.data', encoded.data, { dtype: 'float32', shape: [anySize, memorySize], device })
    return { keys: this.#keys(op, encoded), values: encoded }
  }

  #keys(op: string, encoded: PackedSequence): PackedSequence {
    const { sequences } = encoded
    if (this.key !== null) return this.key.forward(encoded)
    if (this.score === 'cosine') {
      return withRows(op, encoded, rows => new PackedSequence(normalized(rows), sequences), 'encoded')
    }
    if (this.score !== 'location') return encoded
    // The scores are a query's numbers at the positions: its products with these rows.
    const longest = sequences.longest()
    if (longest > this.#maxLength) {
      const wanted = `sequences of at most maxLength ${this.#maxLength} rows`
      throw badArgument(op, 'encoded', wanted, longest, 'ERR_SHAPE')
    }
    const positions = positionsOf(sequences)
    return new PackedSequence(ranked(oneHot(positions, this.#maxLength, this.device), 2), sequences)
  }

  /** The query as the score reads it. @internal */
  protected projected(query: Matrix): Matrix {
    if (this.score === 'cosine') return normalized(query)
    return this.query === null ? query : this.query.forward(query)
  }

  /** Checks a query, and calls `f` with its rows. @internal */
  protected withQuery<T>(query: Matrix | PackedSequence, f: (rows: Matrix) => T): T {
    const { op, device, querySize } = this
    const wanted = { dtype: 'float32', shape: [anySize, querySize], device } as const
    if (query instanceof PackedSequence) {
      checkPacked(op, 'query', query)
      checkTensor(op, 'query.data', query.data, wanted)
      return withRows(op, query, f, 'query')
    }
    if (!(query instanceof Tensor)) throw badArgument(op, 'query', 'a packed sequence or a matrix', query)
    checkTensor(op, 'query', query, wanted)
    return f(query)
  }

  /**
   * Returns the scores of all pairs of a query and an encoded row, before the softmax: a sequence for each query,
   * with a row of one number for each encoded row of its sequence. They are on the tape, composed from small ops
   * with memory for all pairs; `Attention` itself computes in one op.
   *
   * @param query rows of `querySize` numbers: any number in each sequence, or a matrix with one for each.
   * @param memory what `memory` returned.
   */
  scores(query: Matrix | PackedSequence, memory: AttentionMemory): PackedSequence {
    return scope(() => {
      const rows = this.withQuery(query, given => this.projected(given))
      const { keys } = this.pairs(query, memory)
      const repeated = packedRows(repeatRows(rows, keys.sequences))
      const own = packedRows(keys)
      const found =
        this.v === null
          ? mul(sum(mul(repeated, own), { dim: 1, keepdim: true }), this.scale)
          : this.v.forward(tanh(add(repeated, own)))
      return new PackedSequence(ranked(found, 2), keys.sequences)
    })
  }

  /** Checks what should be a memory: JavaScript may pass anything. @internal */
  protected checked(memory: AttentionMemory): AttentionMemory {
    const { op } = this
    if (typeof memory !== 'object' || memory === null) throw badArgument(op, 'memory', 'a memory', memory)
    checkPacked(op, 'memory.keys', memory.keys)
    checkPacked(op, 'memory.values', memory.values)
    return memory
  }

  /** Keys and values with a sequence for each query. @internal */
  protected pairs(query: Matrix | PackedSequence, memory: AttentionMemory): AttentionMemory {
    const { op } = this
    const { keys, values } = this.checked(memory)
    const { batchSize, offsets } = keys.sequences
    const queries = query instanceof PackedSequence ? query.sequences.batchSize : query.shape[0]
    if (queries !== batchSize) throw badArgument(op, 'query', `${batchSize} sequences`, queries, 'ERR_SHAPE')
    if (!(query instanceof PackedSequence)) return memory
    const each = [...query.sequences.lengths()].flatMap((count, b) => new Array<number>(count).fill(b))
    const sequences = new Sequences(
      each.map(b => keys.sequences.length(b)),
      op,
    )
    const index = new Int32Array(sequences.rows)
    each.forEach((b, i) => {
      for (let at = sequences.offsets[i]!, j = offsets[b]!; j < offsets[b + 1]!; j++) index[at++] = j
    })
    const taken = (x: PackedSequence) =>
      new PackedSequence(ranked(indexSelect(packedRows(x), 0, index), 2), sequences)
    return { keys: taken(keys), values: taken(values) }
  }
}

function normalized(rows: Matrix): Matrix {
  return scope(() => ranked(div(rows, maximum(norm(rows, { dim: 1, keepdim: true }), LEAST_NORM)), 2))
}

/** Each token's place in its sequence, from 0 [N]. @internal */
export function positionsOf(sequences: Sequences): Int32Array {
  const positions = new Int32Array(sequences.rows)
  for (let b = 0, at = 0; b < sequences.batchSize; b++) {
    for (let t = 0; t < sequences.length(b); t++) positions[at++] = t
  }
  return positions
}

/** Contexts in the form of the query. @internal */
export function inFormOf(query: Matrix | PackedSequence, context: Matrix): Matrix | PackedSequence {
  return query instanceof PackedSequence ? new PackedSequence(context, query.sequences) : context
}
