import { describe, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { linearBackward, linearForward } from '../../src/ops/linear.js'
import {
  gruBackward,
  gruForward,
  lstmBackward,
  lstmForward,
  rnnBackward,
  rnnForward,
} from '../../src/ops/recurrent.js'
import type { LstmWeights } from '../../src/ops/recurrentOptions.js'
import { SGD } from '../../src/optim/index.js'
import { type PackedSequence, packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { ranked, type Shape, type Tensor, tensor } from '../../src/tensor.js'
import { expectAllSameBits, type Numbers } from './compare.js'
import type { Target } from './target.js'

/** Ops that use the same weights repeatedly. A device may cache forms of the weights until one of them changes. */

const [I, H, P, ROWS] = [5, 18, 7, 9]

interface Subject {
  name: string
  /** The shape of each weight. */
  shapes: readonly Shape[]
  /** Returns the results of a forward and a backward pass. */
  run: (device: Device, weights: readonly Tensor<'float32'>[]) => Record<string, Tensor<'float32'> | null>
}

function draw(device: Device, shape: Shape, seed: number): Tensor<'float32'> {
  const generator = new Generator(seed)
  const size = shape.reduce((product, n) => product * n, 1)
  return tensor<number>(
    Float32Array.from({ length: size }, () => generator.uniform(-1, 1)),
    shape,
    { device },
  )
}

const matrix = (x: Tensor<'float32'>) => ranked(x, 2)
const vector = (x: Tensor<'float32'>) => ranked(x, 1)

function recurrent(name: string, gates: number, projSize: number, pass: Pass): Subject {
  const R = projSize > 0 ? projSize : H
  const ofOne: Shape[] = [[gates * H, I], [gates * H, R], [gates * H], [gates * H]]
  if (projSize > 0) ofOne.push([projSize, H])
  return {
    name,
    shapes: [...ofOne, ...ofOne],
    run: (device, flat) => {
      const each = ofOne.length
      const weights = [0, 1].map(d => {
        const [wIh, wHh, bIh, bHh, wHr] = flat.slice(d * each, (d + 1) * each)
        return {
          wIh: matrix(wIh!),
          wHh: matrix(wHh!),
          bIh: vector(bIh!),
          bHh: vector(bHh!),
          wHr: wHr === undefined ? null : matrix(wHr),
        }
      })
      const x = packSequence([new Float32Array(4 * I).fill(0.5), new Float32Array(5 * I).fill(-0.25)], {
        inputSize: I,
        device,
      })
      const { output, dInput, dWeights } = pass(x, weights, matrix(draw(device, [ROWS, 2 * R], 3)))
      return { output, dInput, dWIh: dWeights[0]!.wIh, dWHh: dWeights[1]!.wHh }
    },
  }
}

type Pass = (
  x: PackedSequence,
  weights: LstmWeights[],
  dOutput: Tensor<'float32', 2>,
) => { output: Tensor<'float32'>; dInput: Tensor<'float32'> | null; dWeights: LstmWeights[] }

const both = { hiddenSize: H, bidirectional: true }
const subjects: Subject[] = [
  recurrent('LSTM', 4, 0, (x, weights, dOutput) => {
    const { output, saved } = lstmForward(x, weights, both)
    return { output: output.data, ...lstmBackward(saved, { dOutput }) }
  }),
  recurrent('LSTM with a projection', 4, P, (x, weights, dOutput) => {
    const { output, saved } = lstmForward(x, weights, { ...both, projSize: P })
    return { output: output.data, ...lstmBackward(saved, { dOutput }) }
  }),
  recurrent('GRU', 3, 0, (x, weights, dOutput) => {
    const { output, saved } = gruForward(x, weights, both)
    return { output: output.data, ...gruBackward(saved, { dOutput }) }
  }),
  recurrent('reset-first GRU', 3, 0, (x, weights, dOutput) => {
    const { output, saved } = gruForward(x, weights, { ...both, resetAfter: false })
    return { output: output.data, ...gruBackward(saved, { dOutput }) }
  }),
  recurrent('Elman', 1, 0, (x, weights, dOutput) => {
    const { output, saved } = rnnForward(x, weights, both)
    return { output: output.data, ...rnnBackward(saved, { dOutput }) }
  }),
  // Separately, because a device may cache only one form of a matrix.
  {
    name: 'linear',
    shapes: [[H, I], [H]],
    run: (device, [weight, bias]) => {
      const x = matrix(draw(device, [ROWS, I], 4))
      return { y: linearForward(x, matrix(weight!), vector(bias!)) }
    },
  },
  {
    name: 'the gradient of the input of linear',
    shapes: [[H, I]],
    run: (device, [weight]) => {
      const [x, dY] = [matrix(draw(device, [ROWS, I], 4)), matrix(draw(device, [ROWS, H], 5))]
      return { dX: linearBackward(x, matrix(weight!), dY, { weight: false, bias: false }).dX }
    },
  },
]

export function repeatedSuite(target: Target): void {
  describe(`repeated use of the same weights on ${target.name}`, () => {
    test.each(subjects)(
      '$name: the bits are those of new weights, also after a change in place',
      async subject => {
        const device = target.open()
        const results = (weights: readonly Tensor<'float32'>[]): Promise<Numbers> =>
          scope(async () => {
            const numbers: Numbers = {}
            for (const [name, value] of Object.entries(subject.run(device, weights))) {
              if (value !== null) numbers[name] = await value.toArray()
            }
            return numbers
          })
        const fresh = async (weights: readonly Tensor<'float32'>[]) => {
          const copies = await Promise.all(
            weights.map(async w => tensor<number>(await w.toArray(), w.shape, { device })),
          )
          const found = await results(copies)
          for (const copy of copies) copy.dispose()
          return found
        }
        const weights = subject.shapes.map((shape, i) => draw(device, shape, 10 + i))
        // Changes one weight at a time.
        for (const changed of [null, ...weights]) {
          if (changed !== null) {
            changed.grad = draw(device, changed.shape, 50)
            new SGD([changed], { lr: 0.1 }).step()
            changed.grad.dispose()
            changed.grad = null
          }
          const wanted = await fresh(weights)
          for (let time = 0; time < 4; time++) expectAllSameBits(await results(weights), wanted)
        }
        for (const weight of weights) weight.dispose()
      },
    )
  })
}
