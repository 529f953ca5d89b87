import { checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { add, clamp, log } from '../ops/elementwise.js'
import { indexSelect } from '../ops/indexing.js'
import { segmentSum } from '../ops/segments.js'
import { reshape } from '../ops/shape.js'
import { PackedSequence, Sequences } from '../packed.js'
import { outlive, scope } from '../scope.js'
import type { Matrix, Vector } from '../tensor.js'
import { isAll } from './step.js'

/** Attention that a source token never got counts as this much: log 0 is −∞. */
const LEAST = 1e-10

/**
 * The attention that each source token got from each living hypothesis, Σ_i p_ij, on the device: sentence after
 * sentence, a hypothesis' source tokens together.
 */
export class Coverage {
  readonly #op: string
  /** The source tokens of each sentence. */
  readonly #tokens: Int32Array
  #sum: Vector | null = null
  /** The source tokens of each living hypothesis. */
  #lengths: number[] = []

  constructor(op: string, source: Sequences) {
    this.#op = op
    this.#tokens = source.lengths()
  }

  /** Adds the weights of a step, and returns Σ_j log(min(Σ_i p_ij, 1)) of each hypothesis [N, 1], in the step's scope. */
  add(attention: Vector | undefined, hypotheses: Sequences): Matrix {
    this.#lengths = [...this.#tokens].flatMap((tokens, b) => {
      return new Array<number>(hypotheses.length(b)).fill(tokens)
    })
    const sequences = new Sequences(this.#lengths, this.#op)
    if (attention === undefined) {
      throw badArgument(this.#op, 'step: attention', 'weights, for `coverage`', attention)
    }
    const shape = [sequences.rows]
    checkTensor(this.#op, 'step: attention', attention, { dtype: 'float32', shape })
    const total = this.#sum === null ? attention.detach() : add(this.#sum, attention)
    this.#replace(total)
    const logs = log(clamp(total, { min: LEAST, max: 1 }))
    return segmentSum(new PackedSequence(reshape(logs, [sequences.rows, 1]), sequences))
  }

  /** Keeps these hypotheses, in this order. */
  select(rows: readonly number[]): void {
    const sum = this.#sum
    if (sum === null || isAll(rows, this.#lengths.length)) return
    const { offsets } = new Sequences(this.#lengths, this.#op)
    const index = rows.flatMap(row => {
      return Array.from({ length: this.#lengths[row]! }, (_, j) => offsets[row]! + j)
    })
    this.#replace(scope(() => indexSelect(sum, 0, index)))
    this.#lengths = rows.map(row => this.#lengths[row]!)
  }

  #replace(sum: Vector): void {
    this.#sum?.dispose()
    this.#sum = outlive(sum)
  }

  dispose(): void {
    this.#sum?.dispose()
  }
}
