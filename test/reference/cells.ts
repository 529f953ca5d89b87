/**
 * GRU (both forms), Elman and projected LSTM layers in float64, one sequence and one step at a time: no packing, no
 * batching, nothing from the product.
 *
 * Layout as in lstm.ts: a batch is [sequence][time][feature], states are flat [layers * directions][batch][size],
 * weights row-major with PyTorch's gate orders. `wHr` [P, H] is there where an LSTM is projected.
 */

export type CellName = 'lstm' | 'gru' | 'resetFirstGru' | 'tanh' | 'relu'

export interface CellWeights {
  wIh: Float64Array
  wHh: Float64Array
  bIh: Float64Array
  bHh: Float64Array
  wHr?: Float64Array
}

export interface CellCase {
  cell: CellName
  inputs: number[][][]
  /** In layer * direction order. */
  weights: CellWeights[]
  inputSize: number
  hiddenSize: number
  /** P, or 0 */
  projSize: number
  numLayers: number
  bidirectional: boolean
  h0: Float64Array
  /** Of an LSTM. */
  c0: Float64Array
  /**
   * What dropout multiplies the output of `layer` by, for every layer but the last; `unit` counts over both
   * directions, forward first.
   */
  interlayerMasks?: (layer: number, sequence: number, t: number, unit: number) => number
}

/** What a step leaves behind. `m` is o tanh(c) before a projection, `q` the recurrent part of a GRU's n. */
interface Step {
  x: number[]
  hPrev: number[]
  cPrev: number[]
  gates: number[][]
  q: number[]
  c: number[]
  m: number[]
  h: number[]
}

export const gatesOf: Record<CellName, number> = { lstm: 4, gru: 3, resetFirstGru: 3, tanh: 1, relu: 1 }

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const zeros = (n: number): number[] => new Array<number>(n).fill(0)

/** w [rows, x.length] · x, of the rows of gate g */
function product(w: Float64Array, x: readonly number[], gate: number, rows: number): number[] {
  const y = zeros(rows)
  for (let r = 0, at = gate * rows * x.length; r < rows; r++) {
    let sum = 0
    for (let k = 0; k < x.length; k++) sum += w[at++]! * x[k]!
    y[r] = sum
  }
  return y
}

/** Of y = w x, of the rows of gate g: adds to dw and dx. */
function productBackward(
  w: Float64Array,
  x: readonly number[],
  gate: number,
  dy: readonly number[],
  dw: Float64Array,
  dx: number[],
): void {
  for (let r = 0, at = gate * dy.length * x.length; r < dy.length; r++) {
    const value = dy[r]!
    for (let k = 0; k < x.length; k++, at++) {
      dw[at]! += value * x[k]!
      dx[k]! += value * w[at]!
    }
  }
}

function step(layer: CellCase, w: CellWeights, x: number[], hPrev: number[], cPrev: number[]): Step {
  const { cell, hiddenSize: H } = layer
  const input = (g: number) => product(w.wIh, x, g, H).map((v, u) => v + w.bIh[g * H + u]!)
  const recurrent = (g: number, h: number[]) => product(w.wHh, h, g, H).map((v, u) => v + w.bHh[g * H + u]!)
  const both = (g: number) => {
    const q = recurrent(g, hPrev)
    return input(g).map((v, u) => v + q[u]!)
  }
  const base = { x, hPrev, cPrev, q: zeros(H), c: zeros(H), m: zeros(H) }
  if (cell === 'lstm') {
    const [i, f, o] = [both(0).map(sigmoid), both(1).map(sigmoid), both(3).map(sigmoid)]
    const g = both(2).map(Math.tanh)
    const c = i.map((v, u) => f[u]! * cPrev[u]! + v * g[u]!)
    const m = o.map((v, u) => v * Math.tanh(c[u]!))
    const h = w.wHr === undefined ? m : product(w.wHr, m, 0, layer.projSize)
    return { ...base, gates: [i, f, g, o], c, m, h }
  }
  if (cell === 'gru' || cell === 'resetFirstGru') {
    const [r, z] = [both(0).map(sigmoid), both(1).map(sigmoid)]
    const q = recurrent(2, cell === 'gru' ? hPrev : hPrev.map((v, u) => v * r[u]!))
    const n = input(2).map((v, u) => Math.tanh(v + (cell === 'gru' ? r[u]! * q[u]! : q[u]!)))
    const h = n.map((v, u) => (1 - z[u]!) * v + z[u]! * hPrev[u]!)
    return { ...base, gates: [r, z, n], q, h }
  }
  const h = both(0).map(v => (cell === 'tanh' ? Math.tanh(v) : Math.max(v, 0)))
  return { ...base, gates: [h], h }
}

/** Adds to `d`, and returns the gradients in x, h₋₁ and c₋₁. */
function stepBackward(
  layer: CellCase,
  w: CellWeights,
  d: CellWeights,
  s: Step,
  dh: number[],
  dc: number[],
): { dx: number[]; dh: number[]; dc: number[] } {
  const { cell, hiddenSize: H } = layer
  const dx = zeros(s.x.length)
  const dhPrev = zeros(s.hPrev.length)
  let dcPrev = zeros(H)
  // The gradient of gate g's pre-activation: its input part, and its recurrent part given what U was multiplied with.
  const give = (g: number, dInput: number[], dRecurrent: number[], operand: number[], into: number[]) => {
    for (let u = 0; u < H; u++) {
      d.bIh[g * H + u]! += dInput[u]!
      d.bHh[g * H + u]! += dRecurrent[u]!
    }
    productBackward(w.wIh, s.x, g, dInput, d.wIh, dx)
    productBackward(w.wHh, operand, g, dRecurrent, d.wHh, into)
  }
  if (cell === 'lstm') {
    const [i = [], f = [], g = [], o = []] = s.gates
    let dm = dh
    if (w.wHr !== undefined && d.wHr !== undefined) {
      dm = zeros(H)
      productBackward(w.wHr, s.m, 0, dh, d.wHr, dm)
    }
    const total = dc.map((v, u) => v + dm[u]! * o[u]! * (1 - Math.tanh(s.c[u]!) ** 2))
    const gradients = [
      total.map((v, u) => v * g[u]! * i[u]! * (1 - i[u]!)),
      total.map((v, u) => v * s.cPrev[u]! * f[u]! * (1 - f[u]!)),
      total.map((v, u) => v * i[u]! * (1 - g[u]! ** 2)),
      dm.map((v, u) => v * Math.tanh(s.c[u]!) * o[u]! * (1 - o[u]!)),
    ]
    gradients.forEach((gradient, gate) => {
      give(gate, gradient, gradient, s.hPrev, dhPrev)
    })
    dcPrev = total.map((v, u) => v * f[u]!)
  } else if (cell === 'gru' || cell === 'resetFirstGru') {
    const [r = [], z = [], n = []] = s.gates
    const dz = dh.map((v, u) => v * (s.hPrev[u]! - n[u]!) * z[u]! * (1 - z[u]!))
    const dn = dh.map((v, u) => v * (1 - z[u]!) * (1 - n[u]! ** 2))
    let dr: number[]
    if (cell === 'gru') {
      dr = dn.map((v, u) => v * s.q[u]! * r[u]! * (1 - r[u]!))
      const dq = dn.map((v, u) => v * r[u]!)
      give(2, dn, dq, s.hPrev, dhPrev)
    } else {
      const dReset = zeros(H)
      const reset = s.hPrev.map((v, u) => v * r[u]!)
      give(2, dn, dn, reset, dReset)
      dr = dReset.map((v, u) => v * s.hPrev[u]! * r[u]! * (1 - r[u]!))
      dReset.forEach((v, u) => {
        dhPrev[u]! += v * r[u]!
      })
    }
    give(0, dr, dr, s.hPrev, dhPrev)
    give(1, dz, dz, s.hPrev, dhPrev)
    dh.forEach((v, u) => {
      dhPrev[u]! += v * z[u]!
    })
  } else {
    const da = dh.map((v, u) => v * (cell === 'tanh' ? 1 - s.h[u]! ** 2 : s.h[u]! > 0 ? 1 : 0))
    give(0, da, da, s.hPrev, dhPrev)
  }
  return { dx, dh: dhPrev, dc: dcPrev }
}

export interface CellResult {
  outputs: number[][][]
  hN: Float64Array
  cN: Float64Array
  /** [sequence][layer * direction], in the order in which the direction reads the tokens */
  steps: Step[][][]
}

export interface CellOutputGradients {
  dOutput: number[][][]
  dHN: Float64Array
  dCN: Float64Array
}

function sizes(layer: CellCase) {
  const R = layer.projSize > 0 ? layer.projSize : layer.hiddenSize
  return { R, H: layer.hiddenSize, D: layer.bidirectional ? 2 : 1, B: layer.inputs.length }
}

/** Multiplies by the dropout mask; its own derivative, so that forward and backward share it. */
function masked(layer: CellCase, l: number, sequence: number, rows: number[][]): number[][] {
  const mask = layer.interlayerMasks
  if (!mask || l === layer.numLayers - 1) return rows
  return rows.map((row, t) => row.map((value, unit) => value * mask(l, sequence, t, unit)))
}

export function cellReference(layer: CellCase): CellResult {
  const { R, H, D, B } = sizes(layer)
  const hN = new Float64Array(layer.weights.length * B * R)
  const cN = new Float64Array(layer.weights.length * B * H)
  const steps: Step[][][] = []
  const outputs = layer.inputs.map((input, b) => {
    steps.push([])
    let rows = input
    for (let l = 0; l < layer.numLayers; l++) {
      const next = rows.map(() => zeros(D * R))
      for (let dir = 0; dir < D; dir++) {
        const place = l * D + dir
        let h = [...layer.h0.subarray((place * B + b) * R, (place * B + b + 1) * R)]
        let c = [...layer.c0.subarray((place * B + b) * H, (place * B + b + 1) * H)]
        const order = dir === 0 ? rows.keys() : [...rows.keys()].reverse()
        const done: Step[] = []
        for (const t of order) {
          const s = step(layer, layer.weights[place]!, rows[t]!, h, c)
          ;({ h, c } = s)
          done.push(s)
          h.forEach((v, u) => {
            next[t]![dir * R + u] = v
          })
        }
        hN.set(h, (place * B + b) * R)
        cN.set(c, (place * B + b) * H)
        steps[b]!.push(done)
      }
      rows = masked(layer, l, b, next)
    }
    return rows
  })
  return { outputs, hN, cN, steps }
}

export function cellReferenceBackward(layer: CellCase, result: CellResult, gradients: CellOutputGradients) {
  const { R, H, D, B } = sizes(layer)
  const dWeights = layer.weights.map(w => ({
    wIh: new Float64Array(w.wIh.length),
    wHh: new Float64Array(w.wHh.length),
    bIh: new Float64Array(w.bIh.length),
    bHh: new Float64Array(w.bHh.length),
    ...(w.wHr && { wHr: new Float64Array(w.wHr.length) }),
  }))
  const dH0 = new Float64Array(result.hN.length)
  const dC0 = new Float64Array(result.cN.length)
  const dInput = layer.inputs.map((input, b) => {
    let above = gradients.dOutput[b]!
    for (let l = layer.numLayers - 1; l >= 0; l--) {
      above = masked(layer, l, b, above)
      const below = input.map(() => zeros(l === 0 ? layer.inputSize : D * R))
      for (let dir = 0; dir < D; dir++) {
        const place = l * D + dir
        let dh = [...gradients.dHN.subarray((place * B + b) * R, (place * B + b + 1) * R)]
        let dc = [...gradients.dCN.subarray((place * B + b) * H, (place * B + b + 1) * H)]
        const done = result.steps[b]![place]!
        for (let k = done.length - 1; k >= 0; k--) {
          const t = dir === 0 ? k : done.length - 1 - k
          const total = dh.map((v, u) => v + above[t]![dir * R + u]!)
          const back = stepBackward(layer, layer.weights[place]!, dWeights[place]!, done[k]!, total, dc)
          ;({ dh, dc } = back)
          back.dx.forEach((v, i) => {
            below[t]![i]! += v
          })
        }
        dH0.set(dh, (place * B + b) * R)
        dC0.set(dc, (place * B + b) * H)
      }
      above = below
    }
    return above
  })
  return { dInput, dWeights, dH0, dC0 }
}
