import type { Device } from '../../src/device.js'
import {
  gruBackward,
  gruForward,
  lstmBackward,
  lstmForward,
  rnnBackward,
  rnnForward,
} from '../../src/ops/recurrent.js'
import type { LstmWeights, RecurrentOptions } from '../../src/ops/recurrentOptions.js'
import { type PackedSequence, packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Shape, type Tensor, tensor } from '../../src/tensor.js'
import {
  type CellCase,
  type CellName,
  type CellOutputGradients,
  cellReference,
  cellReferenceBackward,
  gatesOf,
} from '../reference/cells.js'
import { packRows } from '../reference/lstm.js'
import type { Numbers } from './compare.js'

/** Layers of any cell, a batch, and gradients of its results, for both the reference and the product. */
export interface CellProblem {
  /** All values are float32 numbers. Absent parts are zeros. */
  layer: CellCase
  gradients: CellOutputGradients
  absent: readonly Absent[]
}

/** The optional arguments of the product; only an LSTM has c0. */
export type Absent = 'bias' | 'h0' | 'c0'

export interface CellSizes {
  lengths: readonly number[]
  inputSize: number
  hiddenSize: number
  /** Only for the LSTM. */
  projSize: number
  numLayers?: number
  bidirectional?: boolean
  absent?: readonly Absent[]
}

/**
 * Draws inputs, states and gradients uniformly from -1 to 1, and weights as PyTorch initializes them: uniformly on ±1/√H.
 *
 * relu has a kink at 0, and rounding could move a unit near 0 to the other side. So for relu the biases are near ±1, with
 * alternating signs, and the weights are too small to change the sign. This is why relu always has biases.
 */
export function drawCellProblem(cell: CellName, sizes: CellSizes, seed: number): CellProblem {
  const { lengths, inputSize, hiddenSize: H, numLayers = 1, bidirectional = false, absent = [] } = sizes
  const generator = new Generator(seed)
  const draw = (n: number, bound = 1) =>
    Float64Array.from({ length: n }, () => Math.fround(generator.uniform(-bound, bound)))
  const drawUnless = (what: Absent, n: number, bound?: number) =>
    absent.includes(what) ? new Float64Array(n) : draw(n, bound)
  const rows = (width: number) => lengths.map(n => Array.from({ length: n }, () => [...draw(width)]))
  const P = cell === 'lstm' ? sizes.projSize : 0
  const [R, D, G] = [P > 0 ? P : H, bidirectional ? 2 : 1, gatesOf[cell]]
  const relu = cell === 'relu'
  const bound = (inputs: number) => (relu ? 0.25 / Math.sqrt(Math.max(inputs, H)) : 1 / Math.sqrt(H))
  const bias = () =>
    relu
      ? draw(H, 0.1).map((value, u) => Math.fround(value + (u % 2 === 0 ? 0.5 : -0.5)))
      : drawUnless('bias', G * H, bound(H))
  const states = numLayers * D * lengths.length
  const ofLstm = (n: number, values: () => Float64Array) => (cell === 'lstm' ? values() : new Float64Array(n))
  return {
    layer: {
      ...{ cell, inputSize, hiddenSize: H, projSize: P, numLayers, bidirectional },
      inputs: rows(inputSize),
      weights: Array.from({ length: numLayers * D }, (_, place) => {
        const inputs = place < D ? inputSize : D * R
        return {
          wIh: draw(G * H * inputs, bound(inputs)),
          wHh: draw(G * H * R, bound(R)),
          bIh: bias(),
          bHh: bias(),
          ...(P > 0 && { wHr: draw(P * H, bound(H)) }),
        }
      }),
      h0: drawUnless('h0', states * R),
      c0: ofLstm(states * H, () => drawUnless('c0', states * H)),
    },
    gradients: {
      dOutput: rows(D * R),
      dHN: draw(states * R),
      dCN: ofLstm(states * H, () => draw(states * H)),
    },
    absent: relu ? absent.filter(what => what !== 'bias') : absent,
  }
}

/** The reference's results: output, hN, cN and all gradients; a weight's gradient is named `dWeights[place].wIh`. */
export function cellReferenceNumbers({ layer, gradients, absent }: CellProblem): Numbers<Float64Array> {
  const result = cellReference(layer)
  const { dInput, dWeights, dH0, dC0 } = cellReferenceBackward(layer, result, gradients)
  const numbers: Numbers<Float64Array> = {
    output: packRows(result.outputs),
    hN: result.hN,
    dInput: packRows(dInput),
    dH0,
    ...(layer.cell === 'lstm' && { cN: result.cN, dC0 }),
  }
  dWeights.forEach(({ bIh, bHh, ...matrices }, place) => {
    const parts = absent.includes('bias') ? matrices : { ...matrices, bIh, bHh }
    for (const [name, value] of Object.entries(parts)) numbers[`dWeights[${place}].${name}`] = value
  })
  return numbers
}

/** The product's results, under the names of `cellReferenceNumbers`. `x` replaces the problem's input. */
export function cellProductNumbers(
  device: Device,
  { layer, gradients, absent }: CellProblem,
  changes: Pick<RecurrentOptions, 'dropout' | 'mask'> & { x?: PackedSequence } = {},
): Promise<Numbers> {
  const { cell, inputs, hiddenSize: H, projSize, numLayers, bidirectional } = layer
  const [R, D, B] = [projSize > 0 ? projSize : H, bidirectional ? 2 : 1, inputs.length]
  const on = <N extends number>(values: Float64Array, shape: Shape<N>) =>
    tensor<N>(Float32Array.from(values), shape, { device })
  const unless = <T>(what: Absent, make: () => T) => (absent.includes(what) ? null : make())
  return scope(async () => {
    const { x = packRowsOf(device, layer), ...masked } = changes
    const rowsOf = gatesOf[cell] * H
    const weights: LstmWeights[] = layer.weights.map(({ wIh, wHh, bIh, bHh, wHr }) => ({
      wIh: on<2>(wIh, [rowsOf, wIh.length / rowsOf]),
      wHh: on<2>(wHh, [rowsOf, R]),
      bIh: unless('bias', () => on<1>(bIh, [rowsOf])),
      bHh: unless('bias', () => on<1>(bHh, [rowsOf])),
      wHr: wHr ? on<2>(wHr, [projSize, H]) : null,
    }))
    const states = numLayers * D
    const h0 = unless('h0', () => on<3>(layer.h0, [states, B, R]))
    const dHN = on<3>(gradients.dHN, [states, B, R])
    const dOutput = on<2>(packRows(gradients.dOutput), [x.sequences.rows, D * R])
    const options = { hiddenSize: H, numLayers, bidirectional, h0, ...masked }
    const found = new Map<string, Tensor<'float32'>>()
    const keep = (results: Record<string, Tensor<'float32'> | null>) => {
      for (const [name, value] of Object.entries(results)) if (value !== null) found.set(name, value)
    }
    const keepWeights = (dWeights: readonly LstmWeights[]) =>
      dWeights.forEach((parts, place) => {
        for (const name of ['wIh', 'wHh', 'bIh', 'bHh', 'wHr'] as const) {
          keep({ [`dWeights[${place}].${name}`]: parts[name] ?? null })
        }
      })
    if (cell === 'lstm') {
      const c0 = unless('c0', () => on<3>(layer.c0, [states, B, H]))
      const { output, hN, cN, saved } = lstmForward(x, weights, { ...options, c0, projSize })
      const { dWeights, ...rest } = lstmBackward(saved, {
        dOutput,
        dHN,
        dCN: on<3>(gradients.dCN, [states, B, H]),
      })
      keep({ output: output.data, hN, cN, ...rest })
      keepWeights(dWeights)
    } else if (cell === 'gru' || cell === 'resetFirstGru') {
      const { output, hN, saved } = gruForward(x, weights, { ...options, resetAfter: cell === 'gru' })
      const { dWeights, ...rest } = gruBackward(saved, { dOutput, dHN })
      keep({ output: output.data, hN, ...rest })
      keepWeights(dWeights)
    } else {
      const { output, hN, saved } = rnnForward(x, weights, { ...options, nonlinearity: cell })
      const { dWeights, ...rest } = rnnBackward(saved, { dOutput, dHN })
      keep({ output: output.data, hN, ...rest })
      keepWeights(dWeights)
    }
    const numbers: Numbers = {}
    for (const [name, value] of found) numbers[name] = await value.toArray()
    return numbers
  })
}

function packRowsOf(device: Device, { inputs, inputSize }: CellCase): PackedSequence {
  return packSequence(
    inputs.map(input => Float32Array.from(input.flat())),
    { inputSize, device },
  )
}
