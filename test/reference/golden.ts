/**
 * Inputs and known results, as data: the reference reproduces them in float64 and the product to its own tolerance.
 * Results are rounded to the digits shown; compare with a tolerance of 1e-8 at best.
 */
import type { LstmCase, LstmOutputGradients } from './lstm.js'
import type { AdamCase, SgdCase } from './ops.js'

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

type G7Run = { name: string; parameter: number[] } & (
  | { optimizer: 'sgd'; options: SgdCase }
  | { optimizer: 'adam'; options: AdamCase }
)

const g7Runs: G7Run[] = [
  {
    name: 'SGD with momentum',
    optimizer: 'sgd',
    options: { lr: 0.1, momentum: 0.9 },
    parameter: [0.9049, -1.8878, 2.4207],
  },
  {
    name: 'SGD with Nesterov momentum and weight decay',
    optimizer: 'sgd',
    options: { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
    parameter: [0.84655001, -1.82322783, 2.03526664],
  },
  {
    name: 'SGD with dampened momentum',
    optimizer: 'sgd',
    options: { lr: 0.1, momentum: 0.9, dampening: 0.5 },
    parameter: [0.9389, -1.9168, 2.6697],
  },
  {
    name: 'Adam',
    optimizer: 'adam',
    options: { lr: 0.01 },
    parameter: [0.97076817, -1.97, 2.97250198],
  },
]

/** Three optimiser steps from `start`; `parameter` is the result of each run. */
export const G7 = {
  start: [1, -2, 3],
  gradients: [1, 2, 3].map(t => [0.1 * t, -0.2, 0.3 * t * t]),
  runs: g7Runs,
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
