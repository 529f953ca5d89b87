/**
 * Inputs and known results, as data: the reference reproduces them in float64 and the product to its own tolerance.
 * Results are rounded to the digits shown; compare with a tolerance of 1e-8 at best.
 */
import { type CellCase, gatesOf } from './cells.js'
import type { LstmCase, LstmOutputGradients } from './lstm.js'
import type { AsgdCase, Rule } from './optimizers.js'

/** `Float64Array.from` with a formula of the row-major index. */
function fill(length: number, formula: (n: number) => number): Float64Array {
  return Float64Array.from({ length }, (_, n) => formula(n))
}

const g1Bias = fill(12, n => [-1, 1, -0.5, 2][n % 4]!)

/** One LSTM layer 2→3 over seven steps from a zero state. */
export const G1 = {
  lstm: {
    inputs: [[3, 1, 4, 1, 5, 9, 2].map(v => [v, v / 2])],
    weights: [
      {
        wIh: fill(24, Math.cos),
        wHh: fill(36, Math.sin),
        bIh: g1Bias,
        bHh: g1Bias.map(Math.cos),
      },
    ],
    inputSize: 2,
    hiddenSize: 3,
    numLayers: 1,
    bidirectional: false,
  } satisfies LstmCase,
  hN: [0.99186464, 0.17378832, -0.14506271],
  cN: [5.72495392, 0.44580626, -0.29083767],
}

const G3_LENGTHS = [2, 4, 1]
const G3_TIME = Math.max(...G3_LENGTHS)

/** Rows of a padded batch [batch, time, width], cut to the sequences' lengths. */
function g3Rows(width: number, formula: (n: number) => number): number[][][] {
  return G3_LENGTHS.map((length, sequence) =>
    Array.from({ length }, (_, t) =>
      Array.from({ length: width }, (_, k) => formula((sequence * G3_TIME + t) * width + k)),
    ),
  )
}

/** Parameter `k` in PyTorch's flat order. */
function g3Parameter(length: number, k: number): Float64Array {
  return fill(length, j => 0.5 * Math.sin(0.7 * j + k))
}

/**
 * Two bidirectional LSTM layers 3→2 over sequences of 2, 4 and 1 steps, not sorted, from a given state. The loss is
 * the inner product of (outputs, hN, cN) with `gradients`, which are therefore its gradients.
 */
export const G3 = {
  lstm: {
    inputs: g3Rows(3, n => Math.cos(0.3 * n)),
    weights: [0, 1, 2, 3].map(place => ({
      wIh: g3Parameter(8 * (place < 2 ? 3 : 4), 4 * place),
      wHh: g3Parameter(8 * 2, 4 * place + 1),
      bIh: g3Parameter(8, 4 * place + 2),
      bHh: g3Parameter(8, 4 * place + 3),
    })),
    inputSize: 3,
    hiddenSize: 2,
    numLayers: 2,
    bidirectional: true,
    h0: fill(24, n => 0.1 * Math.sin(n + 1)),
    c0: fill(24, n => 0.2 * Math.cos(n + 1)),
  } satisfies LstmCase,
  gradients: {
    dOutput: g3Rows(4, n => Math.sin(1 + n)),
    dHN: fill(24, Math.cos),
    dCN: fill(24, n => Math.cos(2 + n)),
  } satisfies LstmOutputGradients,
  loss: 1.2402044798,
  sumOutput: -1.8417261655,
  sumSquaredOutput: 1.3703177291,
  sumHN: -2.7353227626,
  sumCN: -4.8045786016,
  sumDInput: -0.4839540549,
  normDInput: 0.4853655496,
  normDH0: 0.4536383954,
  normDC0: 1.1736688592,
  normDWeights: 1.9061164564,
  /** The outputs of sequence 0 at its last step. */
  output01: [0.1042816323, 0.2122587764, -0.1352849664, -0.2089797019],
  /** The input gradient of sequence 0 at its first step. */
  dInput00: [-0.1857684155, -0.0978092585, 0.0361511212],
  /** Norms in layer * direction order; the two biases have the same gradient. */
  normsByPlace: [
    { wIh: 0.91248962, wHh: 0.28249248, bias: 0.39862614 },
    { wIh: 0.93965202, wHh: 0.14861314, bias: 0.62957708 },
    { wIh: 0.21195145, wHh: 0.1515687, bias: 0.27264802 },
    { wIh: 0.28931162, wHh: 0.30078211, bias: 0.39656475 },
  ],
}

type G7Run = Rule & { name: string; parameter: number[] }

const g7Runs: G7Run[] = [
  {
    name: 'SGD with momentum',
    optimizer: 'SGD',
    options: { lr: 0.1, momentum: 0.9 },
    parameter: [0.9049, -1.8878, 2.4207],
  },
  {
    name: 'SGD with Nesterov momentum and weight decay',
    optimizer: 'SGD',
    options: { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
    parameter: [0.84655001, -1.82322783, 2.03526664],
  },
  {
    name: 'SGD with dampened momentum',
    optimizer: 'SGD',
    options: { lr: 0.1, momentum: 0.9, dampening: 0.5 },
    parameter: [0.9389, -1.9168, 2.6697],
  },
  {
    name: 'Adam',
    optimizer: 'Adam',
    options: { lr: 0.01 },
    parameter: [0.97076817, -1.97, 2.97250198],
  },
]

const g7Start = [1, -2, 3]
const g7Gradients = [1, 2, 3, 4, 5].map(t => [0.1 * t, -0.2, 0.3 * t * t])

/** Three optimiser steps from `start`; `parameter` is the result of each run. */
export const G7 = { start: g7Start, gradients: g7Gradients.slice(0, 3), runs: g7Runs }

/** Five steps of ASGD: the parameter after them, and the averages after the third and the fifth. */
export const G7Asgd = {
  start: g7Start,
  gradients: g7Gradients,
  options: { lr: 0.1, lambda: 0, alpha: 0.75, t0: 0 } satisfies AsgdCase,
  average3: [0.955, -1.95, 2.715],
  average5: [0.915, -1.93, 2.22],
  parameter5: [0.85, -1.9, 1.35],
}

/** Mean cross entropy of two rows of three logits. */
export const G8 = {
  logits: [1, 2, 3, 0, 0, 5],
  labels: [0, 2],
  loss: 1.2104959331,
  dLogits: [-0.45498471, 0.12236424, 0.33262048, 0.00332418, 0.00332418, -0.00664835],
}

/** Two gradients clipped to a common norm of 1. */
export const G9 = {
  gradients: [[3, 4], [12]],
  maxNorm: 1,
  norm: 13,
  clipped: [[0.23076921, 0.30769228], [0.92307685]],
}

/** scikit-learn's classification report, to the byte. */
export const G10 = {
  truth: [0, 0, 0, 1, 1, 2, 2, 2],
  predicted: [0, 0, 1, 1, 1, 2, 0, 2],
  names: ['Etat', 'Inland', 'Web'],
  report: `\
              precision    recall  f1-score   support

        Etat       0.67      0.67      0.67         3
      Inland       0.67      1.00      0.80         2
         Web       1.00      0.67      0.80         3

    accuracy                           0.75         8
   macro avg       0.78      0.78      0.76         8
weighted avg       0.79      0.75      0.75         8
`,
}

/** The inputs of G3 to G6 for one more cell: the same formulas, other sizes. */
function cellCase(
  sizes: Pick<CellCase, 'cell' | 'inputSize' | 'hiddenSize' | 'projSize' | 'bidirectional'> & {
    lengths: number[]
  },
) {
  const { cell, inputSize, hiddenSize: H, projSize, bidirectional, lengths } = sizes
  const [B, T, D] = [lengths.length, Math.max(...lengths), bidirectional ? 2 : 1]
  const R = projSize > 0 ? projSize : H
  const G = gatesOf[cell]
  const rows = (width: number, formula: (n: number) => number) =>
    lengths.map((length, b) =>
      Array.from({ length }, (_, t) =>
        Array.from({ length: width }, (_, k) => formula((b * T + t) * width + k)),
      ),
    )
  const parts = projSize > 0 ? 5 : 4
  const weights = Array.from({ length: D }, (_, d) => ({
    wIh: g3Parameter(G * H * inputSize, parts * d),
    wHh: g3Parameter(G * H * R, parts * d + 1),
    bIh: g3Parameter(G * H, parts * d + 2),
    bHh: g3Parameter(G * H, parts * d + 3),
    ...(projSize > 0 && { wHr: g3Parameter(projSize * H, parts * d + 4) }),
  }))
  const layer: CellCase = {
    ...{ cell, inputSize, hiddenSize: H, projSize, bidirectional, weights, numLayers: 1 },
    inputs: rows(inputSize, n => Math.cos(0.3 * n)),
    h0: fill(D * B * R, n => 0.1 * Math.sin(n + 1)),
    c0: fill(D * B * H, n => 0.2 * Math.cos(n + 1)),
  }
  const gradients = {
    dOutput: rows(D * R, n => Math.sin(1 + n)),
    dHN: fill(D * B * R, Math.cos),
    dCN: cell === 'lstm' ? fill(D * B * H, n => Math.cos(2 + n)) : new Float64Array(D * B * H),
  }
  return { layer, gradients }
}

const g2Bias = fill(9, n => [-1, 1, -0.5, 2][n % 4]!)

/** One GRU layer 2→3 over seven steps from a zero state. */
export const G2 = {
  layer: {
    cell: 'gru',
    inputs: [[3, 1, 4, 1, 5, 9, 2].map(v => [v, v / 2])],
    weights: [{ wIh: fill(18, Math.cos), wHh: fill(27, Math.sin), bIh: g2Bias, bHh: g2Bias.map(Math.cos) }],
    ...{ inputSize: 2, hiddenSize: 3, projSize: 0, numLayers: 1, bidirectional: false },
    h0: new Float64Array(3),
    c0: new Float64Array(3),
  } satisfies CellCase,
  hN: [0.05787938, 0.88361404, -0.99907977],
}

/** A projected LSTM, a bidirectional GRU and an Elman layer, forward and backward. */
export const G4toG6 = [
  {
    name: 'G4',
    ...cellCase({
      cell: 'lstm',
      inputSize: 2,
      hiddenSize: 3,
      projSize: 2,
      bidirectional: false,
      lengths: [3, 1, 2],
    }),
    sums: { output: -0.6281485147, hN: -0.2473828316, cN: 2.7163043926, dInput: 0.3141480678 },
    sumSquaredOutput: 0.1890505929,
    norms: { dInput: 0.2287941682, dH0: 0.1781538656, dC0: 0.4696806462 },
    normDWeights: 1.6817614381,
    normsByPlace: [{ wIh: 0.67315957, wHh: 0.1570344, bIh: 1.01677381, bHh: 1.01677381, wHr: 0.53184582 }],
    dInput00: [0.0263545879, 0.0688570369],
  },
  {
    name: 'G5',
    ...cellCase({
      cell: 'gru',
      inputSize: 3,
      hiddenSize: 2,
      projSize: 0,
      bidirectional: true,
      lengths: [2, 4, 1],
    }),
    sums: { output: -3.8208690352, hN: -2.5974912048, dInput: 0.583094491 },
    sumSquaredOutput: 2.9818793997,
    norms: { dInput: 0.7093636153, dH0: 1.7447907427 },
    normDWeights: 1.2091604329,
    normsByPlace: [
      { wIh: 0.85928955, wHh: 0.52872581, bIh: 0.39209964, bHh: 0.27010733 },
      { wIh: 0.38811065, wHh: 0.04848192, bIh: 0.19300231, bHh: 0.16495172 },
    ],
    dInput00: [],
  },
  {
    name: 'G6',
    ...cellCase({
      cell: 'tanh',
      inputSize: 3,
      hiddenSize: 2,
      projSize: 0,
      bidirectional: false,
      lengths: [2, 4, 1],
    }),
    sums: { output: 6.0325121849, hN: 3.673742304, dInput: -1.1668210024 },
    sumSquaredOutput: 4.848375839,
    norms: { dInput: 1.1418692441, dH0: 0.9722257045 },
    normDWeights: 2.6249733271,
    normsByPlace: [{ wIh: 1.74971367, wHh: 0.70545895, bIh: 1.29060349, bHh: 1.29060349 }],
    dInput00: [0.3861790019, 0.223897081, -0.0436871356],
  },
]
