import type { DecodeStep } from '../../src/decoding/index.js'
import { type Device, device } from '../../src/device.js'
import { GRUCell, Linear } from '../../src/nn/index.js'
import { add } from '../../src/ops/elementwise.js'
import { oneHot } from '../../src/ops/indexing.js'
import { matmul } from '../../src/ops/products.js'
import type { PackedIds } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import type { State } from '../../src/state.js'
import { type Matrix, ranked, type Tensor, tensor } from '../../src/tensor.js'
import { cudaTarget, whyNoCuda } from '../cuda.js'
import { logOfSum } from '../reference/arrayReductions.js'
import type { Target } from '../suite/target.js'

/** Tiny models whose next token depends on more than the last one, each with its own log-probabilities in float64. */

const cpu: Target = {
  name: 'cpu',
  precision: 'float32',
  threads: [1],
  open: () => device('cpu', { threads: 1 }),
}

/** The CPU, and the CUDA library that is there. */
export const targets: readonly Target[] = whyNoCuda() === null ? [cpu, cudaTarget('float32')] : [cpu]

export interface Model<S extends State> extends Probabilities {
  step: DecodeStep<S>
  /** The state before the first token of these sentences. */
  start(sentences: readonly number[]): S
}

export interface Probabilities {
  /** log p of each next token, after the begin mark 0 and these tokens. */
  after(sentence: number, tokens: readonly number[]): number[]
}

/** Numbers that float32 holds. */
function numbers(generator: Generator, count: number, spread: number): Float32Array {
  return Float32Array.from({ length: count }, () => spread * generator.normal())
}

export function logSoftmaxOf(logits: readonly number[]): number[] {
  const total = logOfSum(logits)
  return logits.map(x => x - total)
}

type TableState = { before: Tensor<'int32', 1>; none: readonly null[] }

/** Logits that are the sum of a row for the last token and one for the token before it: the state, int32. */
export function tableModel(on: Device, tokens: number, seed = 1): Model<TableState> {
  const generator = new Generator(seed)
  const [last, before] = [1, 2].map(() => numbers(generator, tokens * tokens, 1.5))
  const [wLast, wBefore] = [last, before].map(values => tensor(values!, [tokens, tokens], { device: on }))
  const rowOf = (table: Float32Array, token: number) => table.subarray(token * tokens, (token + 1) * tokens)
  return {
    step({ ids }: PackedIds, state) {
      const earlier = ranked(matmul(oneHot(state.before, tokens), wBefore!), 2)
      const logits = add(matmul(oneHot(ids, tokens, on), wLast!), earlier)
      return {
        logits: ranked(logits, 2),
        state: { before: tensor(ids, [ids.length], { device: on }), none: state.none },
      }
    },
    start: sentences => ({
      before: tensor(
        Int32Array.from(sentences, b => b % tokens),
        [sentences.length],
        { device: on },
      ),
      none: [null],
    }),
    after(sentence, text) {
      const [one = sentence % tokens, two = 0] = [sentence % tokens, 0, ...text].slice(-2)
      return logSoftmaxOf([...rowOf(last!, two)].map((x, c) => x + rowOf(before!, one)[c]!))
    },
  }
}

type GruState = { h: Matrix }

/** A GRU that reads one-hot tokens; the first state differs from sentence to sentence. */
export function gruModel(on: Device, tokens: number, seed = 1): Model<GruState> {
  const H = 3
  const generator = new Generator(seed)
  const cell = new GRUCell({ inputSize: tokens, hiddenSize: H, device: on })
  const head = new Linear({ inFeatures: H, outFeatures: tokens, device: on })
  const values = new Map<string, Float32Array>()
  for (const [name, parameter] of [...cell.namedParameters(), ...head.namedParameters()]) {
    values.set(name, numbers(generator, parameter.size, 1.2))
    parameter.assign(values.get(name)!)
  }
  const startOf = (sentence: number) => Float32Array.from({ length: H }, (_, u) => Math.sin(sentence + u))
  const product = (name: string, bias: string, x: readonly number[]) =>
    Array.from(values.get(bias)!, (b, r) => {
      return x.reduce((sum, value, k) => sum + values.get(name)![r * x.length + k]! * value, b)
    })
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
  return {
    step(last, state) {
      const { h } = cell.forward(ranked(oneHot(last.ids, tokens, on), 2), { h: state.h })
      return { logits: head.forward(h), state: { h } }
    },
    start(sentences) {
      const rows = sentences.flatMap(b => [...startOf(b)])
      return { h: tensor(rows, [sentences.length, H], { device: on }) }
    },
    after(sentence, text) {
      let h = [...startOf(sentence)]
      for (const token of [0, ...text]) {
        const x = Array.from({ length: tokens }, (_, c) => Number(c === token))
        const [input, own] = [product('weight_ih', 'bias_ih', x), product('weight_hh', 'bias_hh', h)]
        h = h.map((before, u) => {
          const [r, z] = [sigmoid(input[u]! + own[u]!), sigmoid(input[H + u]! + own[H + u]!)]
          return (1 - z) * Math.tanh(input[2 * H + u]! + r * own[2 * H + u]!) + z * before
        })
      }
      return logSoftmaxOf(product('weight', 'bias', h))
    },
  }
}

/** A model without a state: the same logits, whatever was said. */
export function constant(on: Device, logits: readonly number[]): DecodeStep<null> {
  return last => ({
    logits: tensor(
      [...last.ids].flatMap(() => logits),
      [last.ids.length, logits.length],
      { device: on },
    ),
    state: null,
  })
}
