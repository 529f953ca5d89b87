import type { Device } from '../../src/device.js'
import { lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import type { LstmOptions, LstmWeights } from '../../src/ops/recurrentOptions.js'
import { type PackedSequence, packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Shape, tensor } from '../../src/tensor.js'
import {
  type LstmCase,
  type LstmOutputGradients,
  lstmReference,
  lstmReferenceBackward,
  packRows,
} from '../reference/lstm.js'
import type { Numbers } from './compare.js'

/** An LSTM, a batch, and gradients of its results, for both the reference and the product. */
export interface Problem {
  /** All values are float32 numbers. An absent bias is zeros. */
  lstm: LstmCase
  bias: boolean
  /** Missing ones are zeros. */
  gradients: LstmOutputGradients
}

export interface ProblemSizes {
  lengths: readonly number[]
  inputSize: number
  hiddenSize: number
  numLayers?: number
  bidirectional?: boolean
  /** The optional parts that are present; default all. */
  bias?: boolean
  h0?: boolean
  c0?: boolean
  dOutput?: boolean
  dHN?: boolean
  dCN?: boolean
}

/** Draws inputs, states and gradients uniformly from -1 to 1, and weights as PyTorch initializes them: uniformly on ±1/√H. */
export function drawProblem(sizes: ProblemSizes, seed: number): Problem {
  const { lengths, inputSize, hiddenSize, numLayers = 1, bidirectional = false, bias = true } = sizes
  const generator = new Generator(seed)
  const draw = (length: number, bound = 1) =>
    Float64Array.from({ length }, () => Math.fround(generator.uniform(-bound, bound)))
  const rows = (width: number) => lengths.map(length => Array.from({ length }, () => Array.from(draw(width))))
  const D = bidirectional ? 2 : 1
  const bound = 1 / Math.sqrt(hiddenSize)
  const drawBias = () => (bias ? draw(4 * hiddenSize, bound) : new Float64Array(4 * hiddenSize))
  const weights = Array.from({ length: numLayers * D }, (_, place) => ({
    wIh: draw(4 * hiddenSize * (place < D ? inputSize : D * hiddenSize), bound),
    wHh: draw(4 * hiddenSize * hiddenSize, bound),
    bIh: drawBias(),
    bHh: drawBias(),
  }))
  const states = numLayers * D * lengths.length * hiddenSize
  const { h0 = true, c0 = true, dOutput = true, dHN = true, dCN = true } = sizes
  return {
    lstm: {
      inputs: rows(inputSize),
      weights,
      inputSize,
      hiddenSize,
      numLayers,
      bidirectional,
      ...(h0 && { h0: draw(states) }),
      ...(c0 && { c0: draw(states) }),
    },
    bias,
    gradients: {
      ...(dOutput && { dOutput: rows(D * hiddenSize) }),
      ...(dHN && { dHN: draw(states) }),
      ...(dCN && { dCN: draw(states) }),
    },
  }
}

/** Converts packed rows to the form of the reference: [sequence][time][feature]. */
export function splitRows(rows: ArrayLike<number>, lengths: readonly number[], width: number): number[][][] {
  const values = Array.from(rows)
  return lengths.map(length => Array.from({ length }, () => values.splice(0, width)))
}

/** The reference's results: output, hN, cN and all gradients; a weight's gradient is named `dWeights[place].wIh`. */
export function referenceNumbers({ lstm, bias, gradients }: Problem): Numbers<Float64Array> {
  const result = lstmReference(lstm)
  const { dInput, dWeights, dH0, dC0 } = lstmReferenceBackward(lstm, result, gradients)
  const { outputs, hN, cN } = result
  const numbers: Numbers<Float64Array> = {
    output: packRows(outputs),
    hN,
    cN,
    dInput: packRows(dInput),
    dH0,
    dC0,
  }
  dWeights.forEach(({ wIh, wHh, bIh, bHh }, place) => {
    Object.assign(numbers, named(place, bias ? { wIh, wHh, bIh, bHh } : { wIh, wHh }))
  })
  return numbers
}

function named<T>(place: number, values: Record<string, T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`dWeights[${place}].${name}`, value]),
  )
}

/** The problem's arguments on a device. */
export function lstmArguments(
  device: Device,
  { lstm, bias }: Problem,
): { x: PackedSequence; weights: LstmWeights[]; options: Omit<LstmOptions, 'train'> } {
  const { inputs, inputSize, hiddenSize, numLayers, bidirectional } = lstm
  const D = bidirectional ? 2 : 1
  const on = <R extends number>(values: Float64Array, shape: Shape<R>) =>
    tensor<R>(Float32Array.from(values), shape, { device })
  const x = packSequence(
    inputs.map(input => Float32Array.from(input.flat())),
    { inputSize, device },
  )
  const weights = lstm.weights.map(({ wIh, wHh, bIh, bHh }, place) => ({
    wIh: on<2>(wIh, [4 * hiddenSize, place < D ? inputSize : D * hiddenSize]),
    wHh: on<2>(wHh, [4 * hiddenSize, hiddenSize]),
    bIh: bias ? on<1>(bIh, [4 * hiddenSize]) : null,
    bHh: bias ? on<1>(bHh, [4 * hiddenSize]) : null,
  }))
  const states = [numLayers * D, inputs.length, hiddenSize] as const
  const h0 = lstm.h0 ? on<3>(lstm.h0, states) : null
  const c0 = lstm.c0 ? on<3>(lstm.c0, states) : null
  return { x, weights, options: { hiddenSize, numLayers, bidirectional, h0, c0 } }
}

/** The problem's gradients on a device. */
export function lstmGradients(device: Device, { lstm, gradients }: Problem) {
  const { inputs, hiddenSize, numLayers, bidirectional } = lstm
  const D = bidirectional ? 2 : 1
  const states = [numLayers * D, inputs.length, hiddenSize] as const
  const on = <R extends number>(values: Float64Array | undefined, shape: Shape<R>) =>
    values ? tensor<R>(Float32Array.from(values), shape, { device }) : null
  const dOutput = gradients.dOutput && packRows(gradients.dOutput)
  return {
    dOutput: on<2>(dOutput, [inputs.flat().length, D * hiddenSize]),
    dHN: on<3>(gradients.dHN, states),
    dCN: on<3>(gradients.dCN, states),
  }
}

/** The product's results, under the names of `referenceNumbers`. */
export function productNumbers(
  device: Device,
  problem: Problem,
  changes: Pick<LstmOptions, 'dropout' | 'mask'> & { x?: PackedSequence } = {},
): Promise<Numbers> {
  return scope(async () => {
    const given = lstmArguments(device, problem)
    const { x = given.x, ...changed } = changes
    const options = { ...given.options, ...changed }
    const { output, hN, cN, saved } = lstmForward(x, given.weights, options)
    const { dInput, dWeights, dH0, dC0 } = lstmBackward(saved, lstmGradients(device, problem))
    const found = { output: output.data, hN, cN, dInput: dInput!, dH0, dC0 }
    const ofWeights = dWeights.flatMap(({ wIh, wHh, bIh, bHh }, place) =>
      Object.entries(named(place, bIh && bHh ? { wIh, wHh, bIh, bHh } : { wIh, wHh })),
    )
    const numbers: Numbers = {}
    for (const [name, value] of [...Object.entries(found), ...ofWeights])
      numbers[name] = await value.toArray()
    return numbers
  })
}
