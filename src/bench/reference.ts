/**
 * The forward pass of a case in float64, one sequence and one step at a time, without packing, batching, or the package's code.
 * There is no backward pass: gradients are checked by directional derivatives of the loss, from central differences.
 */
import { type BenchCase, gatesOf, INPUT_SIZE } from './cases.js'
import type { CellWeights } from './latency/numbers.js'
import type { BenchPooling } from './passes.js'

/** Parameters by their common names, row-major: `recurrent.weight_ih_l0_reverse`, `classifier.bias`, `embedding.weight`. */
export type ReferenceState = ReadonlyMap<string, ArrayLike<number>>

type Row = readonly number[]

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

function named(state: ReferenceState, name: string): ArrayLike<number> {
  const values = state.get(name)
  if (values === undefined) throw new Error(`no parameter ${name}`)
  return values
}

/** w x + b, w [b.length, x.length] */
function affine(w: ArrayLike<number>, x: Row, b: ArrayLike<number>): number[] {
  const y: number[] = []
  for (let r = 0, at = 0; r < b.length; r++) {
    let sum = b[r]!
    for (let k = 0; k < x.length; k++) sum += w[at++]! * x[k]!
    y.push(sum)
  }
  return y
}

/** Computes the new h and c from the input's and the state's part of all gates. */
function cellStep(cell: BenchCase['cell'], a: Row, u: Row, h: Row, c: Row): { h: number[]; c: number[] } {
  const H = h.length
  const gate = (g: number, k: number) => a[g * H + k]! + u[g * H + k]!
  if (cell === 'lstm') {
    const next = c.map((v, k) => sigmoid(gate(1, k)) * v + sigmoid(gate(0, k)) * Math.tanh(gate(2, k)))
    return { h: next.map((v, k) => sigmoid(gate(3, k)) * Math.tanh(v)), c: next }
  }
  if (cell === 'rnn') return { h: h.map((_, k) => Math.tanh(gate(0, k))), c: [...c] }
  const next = h.map((v, k) => {
    const n = Math.tanh(a[2 * H + k]! + sigmoid(gate(0, k)) * u[2 * H + k]!)
    const z = sigmoid(gate(1, k))
    return (1 - z) * n + z * v
  })
  return { h: next, c: [...c] }
}

/** The state h of an LSTM layer after the last row, from an initial state of zeros. */
export function referenceStream({ wIh, wHh, bIh, bHh }: CellWeights, rows: readonly Row[]): number[] {
  let h = new Array<number>(bIh.length / 4).fill(0)
  let c = h
  for (const x of rows) ({ h, c } = cellStep('lstm', affine(wIh, x, bIh), affine(wHh, h, bHh), h, c))
  return h
}

/** The states of the last layer, with directions side by side: the last states [D·H], and the states of each token. */
function referenceStates(
  spec: BenchCase,
  state: ReferenceState,
  ids: ArrayLike<number>,
): { last: number[]; rows: number[][] } {
  const { cell, hiddenSize: H, numLayers, bidirectional } = spec
  const table = named(state, 'embedding.weight')
  let rows: number[][] = Array.from(ids, id =>
    Array.from({ length: INPUT_SIZE }, (_, k) => table[id * INPUT_SIZE + k]!),
  )
  let last: number[] = []
  for (let l = 0; l < numLayers; l++) {
    last = []
    const output: number[][] = rows.map(() => [])
    for (const suffix of bidirectional ? ['', '_reverse'] : ['']) {
      const [wIh, wHh, bIh, bHh] = ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map(name =>
        named(state, `recurrent.${name}_l${l}${suffix}`),
      )
      if (bIh!.length !== gatesOf[cell] * H) throw new Error(`wanted ${gatesOf[cell]} gates of ${H} units`)
      let h = new Array<number>(H).fill(0)
      let c = new Array<number>(H).fill(0)
      const times = [...rows.keys()]
      for (const t of suffix === '' ? times : times.reverse()) {
        ;({ h, c } = cellStep(cell, affine(wIh!, rows[t]!, bIh!), affine(wHh!, h, bHh!), h, c))
        output[t]!.push(...h)
      }
      last.push(...h)
    }
    rows = output
  }
  return { last, rows }
}

/** The last states of the last layer, with directions side by side, [D·H]. */
export function referenceLastHidden(
  spec: BenchCase,
  state: ReferenceState,
  ids: ArrayLike<number>,
): number[] {
  return referenceStates(spec, state, ids).last
}

/** The input of the linear layer. */
function pooled({ last, rows }: ReturnType<typeof referenceStates>, pooling: BenchPooling): number[] {
  if (pooling === 'final') return last
  return last.map((_, k) => rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length)
}

/** The mean cross entropy over documents. */
export function referenceLoss(
  spec: BenchCase,
  state: ReferenceState,
  documents: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  pooling: BenchPooling,
): number {
  const losses = documents.map((ids, b) => {
    const hidden = pooled(referenceStates(spec, state, ids), pooling)
    const logits = affine(named(state, 'classifier.weight'), hidden, named(state, 'classifier.bias'))
    const largest = Math.max(...logits)
    const sum = logits.reduce((total, v) => total + Math.exp(v - largest), 0)
    return largest + Math.log(sum) - logits[labels[b]!]!
  })
  return losses.reduce((total, loss) => total + loss, 0) / losses.length
}
