import { noGrad } from '../autograd.js'
import { anySize, checkFunction, checkTensor } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { add } from '../ops/elementwise.js'
import { logSoftmax } from '../ops/softmax.js'
import type { PackedIds } from '../packed.js'
import { outlive, scope } from '../scope.js'
import { disposeState, mapState, outliveState, type State } from '../state.js'
import { type Matrix, ranked, tensor, type Vector } from '../tensor.js'
import { gatherRows } from './rows.js'

/**
 * One step of a model: reads the last token of each living hypothesis, and says which token may come next. It is
 * called without a tape. Tensors that it makes are disposed after the step, except the returned state.
 *
 * @param last a sequence for each sentence, in it a row for each living hypothesis; none where the sentence is done.
 * N hypotheses in total. Attention with packed queries over packed keys needs no other form: keep the keys, a
 * sequence for each sentence, in the function's closure.
 * @param state what the step before returned, its rows selected and put into the order of `last`: axis 0 of every
 * leaf is the hypothesis. The step must not dispose it.
 */
export type DecodeStep<S extends State> = (last: PackedIds, state: S) => DecodeResult<S>

/** What a step returns. */
export interface DecodeResult<S extends State> {
  /** [N, C], before the softmax, for C tokens. −∞ where a token must not be chosen. */
  logits: Matrix
  /** [N, …] each leaf; may contain the tensors of the state that the step got. */
  state: S
  /**
   * The attention weights of this step, for `coverage` of `beamSearch`: sentence after sentence, the weights of a
   * hypothesis together. Of M hypotheses and T source tokens, a sentence has M · T of them.
   */
  attention?: Vector
}

/**
 * The state of the living hypotheses, a row each, and the step that advances it. It owns its tensors: no scope
 * disposes them.
 */
export class Living<S extends State> {
  readonly #op: string
  readonly #step: DecodeStep<S>
  readonly #end: number | null
  readonly #exclude: readonly number[]
  /** 0 and −∞ [1, C], made in the first step; null if nothing is excluded. */
  #mask: Matrix | null = null
  #state: S
  /** The rows of the state. */
  #count: number

  /** Starts with the rows of some of `count` sentences. The given state remains the caller's. */
  constructor(
    op: string,
    step: DecodeStep<S>,
    start: {
      state: S
      count: number
      rows: readonly number[]
      end: number | null
      exclude: readonly number[]
    },
  ) {
    checkFunction(op, 'step', step)
    this.#op = op
    this.#step = step
    this.#end = start.end
    this.#exclude = start.exclude
    checkRows(op, 'state', start.state, start.count)
    this.#state = keptRows(start.state, start.count, start.rows)
    this.#count = start.rows.length
  }

  /** Issues a step. `read` gets log-probabilities [N, C], and issues what the host reads of them. */
  advance<R>(last: PackedIds, read: (logProbabilities: Matrix, result: DecodeResult<S>) => R): R {
    const before = this.#state
    const { answer, state } = noGrad(() =>
      scope(() => {
        const result = this.#step(last, before)
        this.#check(result)
        return {
          answer: read(this.#chosenFrom(logSoftmax(result.logits)), result),
          state: outliveState(mapState(this.#op, 'state', result.state, leaf => leaf.detach())),
        }
      }),
    )
    this.#state = state
    disposeState(before)
    return answer
  }

  /** The log-probabilities, −∞ for excluded tokens. */
  #chosenFrom(logProbabilities: Matrix): Matrix {
    if (this.#exclude.length === 0) return logProbabilities
    if (this.#mask === null) {
      const mask = new Float32Array(logProbabilities.shape[1])
      for (const token of this.#exclude) mask[token] = -Infinity
      const { device } = logProbabilities
      this.#mask = outlive(tensor<2>(mask, [1, mask.length], { device }))
    }
    return ranked(add(logProbabilities, this.#mask), 2)
  }

  #check(result: DecodeResult<S>): void {
    const op = this.#op
    if (typeof result !== 'object' || result === null) {
      throw badArgument(op, 'step', 'a function that returns logits and a state', result)
    }
    const { logits, state } = result
    checkTensor(op, 'step: logits', logits, { dtype: 'float32', shape: [this.#count, anySize] })
    const classes = logits.shape[1]
    if (classes === 0) throw badArgument(op, 'step: logits', 'at least one token', logits.shape, 'ERR_SHAPE')
    if (this.#end !== null && this.#end >= classes) {
      const wanted = `a token from 0 to ${classes - 1}, as the step has logits for`
      throw badArgument(op, 'end', wanted, this.#end, 'ERR_OUT_OF_RANGE')
    }
    for (const [i, token] of this.#exclude.entries()) {
      if (token < classes) continue
      const wanted = `a token from 0 to ${classes - 1}, as the step has logits for`
      throw badArgument(op, `exclude[${i}]`, wanted, token, 'ERR_OUT_OF_RANGE')
    }
    checkRows(op, 'step: state', state, this.#count)
  }

  /** Keeps these rows, in this order. */
  select(rows: readonly number[]): void {
    if (isAll(rows, this.#count)) return
    const before = this.#state
    this.#state = keptRows(before, this.#count, rows)
    this.#count = rows.length
    disposeState(before)
  }

  dispose(): void {
    disposeState(this.#state)
    this.#mask?.dispose()
  }
}

function checkRows(op: string, name: string, state: State, rows: number): void {
  mapState(op, name, state, (leaf, path) => {
    if (leaf.disposed) {
      throw new PackedRnnError('ERR_DISPOSED', `${op}: ${path}: wanted a tensor, got a disposed one`)
    }
    if (leaf.shape[0] === rows) return leaf
    throw badArgument(op, path, `shape [${rows}, ...]`, leaf.shape, 'ERR_SHAPE')
  })
}

/** Rows of a state in tensors that outlive every scope. All rows in their order share the memory. */
function keptRows<S extends State>(state: S, count: number, rows: readonly number[]): S {
  const all = isAll(rows, count)
  return noGrad(() =>
    scope(() =>
      outliveState(
        all ? mapState('keptRows', 'state', state, leaf => leaf.detach()) : gatherRows(state, rows),
      ),
    ),
  )
}

/** Whether these are the rows 0 to count − 1. */
export function isAll(rows: readonly number[], count: number): boolean {
  return rows.length === count && rows.every((row, i) => row === i)
}
