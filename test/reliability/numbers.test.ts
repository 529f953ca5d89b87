import { describe, expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { device } from '../../src/device.js'
import { presets } from '../../src/models/presets.js'
import {
  gruBackward,
  gruForward,
  lstmBackward,
  lstmForward,
  rnnBackward,
  rnnForward,
} from '../../src/ops/recurrent.js'
import { PackedIds, PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { type OnNonFinite, placeOf, refuseNonFinite } from '../../src/training/nonFinite.js'
import type { TrainingProgress } from '../../src/training/progress.js'
import { rejectionOf, thrownBy } from '../device/own.js'
import type { CellName } from '../reference/cells.js'
import { cellProductNumbers, cellReferenceNumbers, drawCellProblem } from '../suite/cellProblem.js'
import { expectAllClose } from '../suite/compare.js'
import { data, shortClassifier } from '../training/short.js'
import { long, many } from './length.js'

/** NaN, infinite, very large and very small numbers, and very many. */

const cpu = device('cpu', { threads: 2 })
const cells: CellName[] = ['lstm', 'gru', 'resetFirstGru', 'tanh']

describe('a loss or gradient that is not finite', () => {
  const BATCH = 8
  /** A word of one document alone, and the step of an epoch that this document is in, from 1. */
  const rare = data.documents.flatMap((document, i) =>
    [...document]
      .filter(id => data.documents.every((other, j) => i === j || !other.includes(id)))
      .map(id => ({ id, step: 1 + Math.floor(i / BATCH) })),
  )
  const { id: poison, step: STEP } = rare.find(({ step }) => step === 4)!

  /** A trainer of a model whose vector of that word is NaN. */
  async function poisoned(onNonFinite?: OnNonFinite) {
    const model = shortClassifier('lstm64-adam')
    const state = await model.stateDict()
    state.get('embedding.weight')!.data.fill(Number.NaN, 20 * poison, 20 * poison + 20)
    model.loadStateDict(state)
    return new Trainer(model, {
      ...presets['lstm64-adam'],
      batchSize: BATCH,
      ...(onNonFinite && { onNonFinite }),
    })
  }
  async function run(trainer: Trainer, documents = data, epochs = 2): Promise<TrainingProgress[]> {
    const seen: TrainingProgress[] = []
    for await (const progress of trainer.fit(documents, { epochs })) seen.push(progress)
    return seen
  }

  test('ends the run by default, with an error that names step and parameter', async () => {
    const error = await rejectionOf(run(await poisoned()))
    expect(error.code).toBe('ERR_NON_FINITE')
    expect(error.message).toBe(
      `fit: epoch 1, step ${STEP}: wanted finite numbers, got others in the gradient of embedding.weight`,
    )
  })

  test('is skipped with "skip", and the other steps have the same bits as without it', async () => {
    const skipping = await poisoned('skip')
    const seen = await run(skipping)
    expect(seen.filter(({ skipped }) => skipped !== null).map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, STEP],
      [2, STEP],
    ])
    const without = {
      documents: data.documents.toSpliced((STEP - 1) * BATCH, BATCH),
      labels: Int32Array.from(data.labels).filter((_, i) => Math.floor(i / BATCH) !== STEP - 1),
    }
    const other = await poisoned()
    await run(other, without)
    const [one, two] = [await skipping.state(), await other.state()]
    expect(one.model).toEqual(two.model)
    expect(one.optimizer).toEqual(two.optimizer)
    const figures = (trainer: Trainer) =>
      trainer.history.map(({ loss, accuracy, gradNorm }) => ({ loss, accuracy, gradNorm }))
    expect(figures(skipping)).toEqual(figures(other))
  })

  test('is not checked with "ignore"', async () => {
    const trainer = await poisoned('ignore')
    await run(trainer)
    expect(trainer.history[0]!.loss).toBeNaN()
    expect((await trainer.model.stateDict()).get('classifier.bias')!.data.every(Number.isNaN)).toBe(true)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    '%d is detected in each gradient and in the loss',
    async bad => {
      const model = shortClassifier('bilstm64x4-adam')
      const names = model.namedParameters().map(([name]) => name)
      for (const where of [...names, 'loss']) {
        for (const [name, parameter] of model.namedParameters()) {
          const values = new Float32Array(parameter.size)
          values[values.length - 1] = name === where ? bad : -3e38
          parameter.grad = tensor(values, parameter.shape, { device: parameter.device })
        }
        const loss = tensor([where === 'loss' ? bad : 1], [], { device: cpu })
        const places = refuseNonFinite(model, loss)
        const error = await rejectionOf(model.embedding.weight.grad!.toArray())
        expect(placeOf(error, places)).toBe(where === 'loss' ? 'the loss' : `the gradient of ${where}`)
        model.zeroGrad()
      }
      await cpu.synchronize()
    },
  )

  test('finite gradients keep their bits, except denormal numbers, which become zeros', async () => {
    const model = shortClassifier('lstm64-sgd')
    const [[, parameter]] = model.namedParameters() as [ReturnType<typeof model.namedParameters>[number]]
    const values = Float32Array.from(
      { length: parameter.size },
      (_, i) => Math.sin(i) * 10 ** ((i % 77) - 39),
    )
    parameter.grad = tensor(values, parameter.shape, { device: parameter.device })
    refuseNonFinite(model, full([], 1, { device: cpu }))
    const wanted = values.map(value => (Math.abs(value) < 2 ** -126 ? 0 * value : value))
    expect(await parameter.grad.toArray()).toEqual(wanted)
  })
})

const tokens = many(20_000, 100_000)

describe.each(cells)('%s', cell => {
  const sizes = { lengths: [5, 1, 0, 8], inputSize: 3, hiddenSize: 18, projSize: 0, bidirectional: true }

  test(`a sequence of ${tokens} tokens agrees with the reference`, async () => {
    const problem = drawCellProblem(cell, { ...sizes, lengths: [tokens, 3], hiddenSize: 5 }, 2)
    expectAllClose(await cellProductNumbers(cpu, problem), cellReferenceNumbers(problem), 1e-4)
  })

  test('20,000 sequences agree with the reference', async () => {
    const lengths = Array.from({ length: 20_000 }, (_, b) => b % 4)
    const problem = drawCellProblem(cell, { ...sizes, lengths, hiddenSize: 5 }, 3)
    expectAllClose(await cellProductNumbers(cpu, problem), cellReferenceNumbers(problem), 1e-4)
  })
})

test.skipIf(!long).each([
  ['lstm', 4, lstmForward, lstmBackward],
  ['gru', 3, gruForward, gruBackward],
  ['rnn', 1, rnnForward, rnnBackward],
] as const)('%s: denormals take at most twice the time', async (_, gates, forward, backward) => {
  const [B, T, I, H] = [64, 50, 64, 64]
  const generator = new Generator(4)
  const draw = (shape: [number, number], scale: number) => {
    const values = Float32Array.from({ length: shape[0] * shape[1] }, () => generator.uniform(-scale, scale))
    return tensor<2>(values, shape, { device: cpu })
  }
  const weights = [{ wIh: draw([gates * H, I], 0.1), wHh: draw([gates * H, H], 0.1) }]
  const sequences = new Sequences(Array<number>(B).fill(T))
  const inputs = [1, 2 ** -130].map(scale => ({
    x: new PackedSequence(draw([B * T, I], scale), sequences),
    dOutput: draw([B * T, H], scale),
  }))
  const time = async ({ x, dOutput }: (typeof inputs)[number]) => {
    await cpu.synchronize()
    const start = performance.now()
    scope(() => void backward(forward(x, weights, { hiddenSize: H }).saved, { dOutput }))
    await cpu.synchronize()
    return performance.now() - start
  }
  // Measured alternately, the least of each counts: what else the machine does makes a turn longer and never shorter. A machine that is
  // busy gets more of them.
  const least = inputs.map(() => Number.POSITIVE_INFINITY)
  for (let turn = 0; turn < 15 || (turn < 200 && least[1]! >= 2 * least[0]!); turn++) {
    for (const [i, input] of inputs.entries()) least[i] = Math.min(least[i]!, await time(input))
  }
  const [normal, denormal] = least
  console.log(`${_}: denormals ${(denormal! / normal!).toFixed(2)} times ${normal!.toFixed(2)} ms`)
  expect(denormal! / normal!).toBeLessThan(2)
})

describe('more rows than offsets can count', () => {
  const wanted = {
    code: 'ERR_OUT_OF_RANGE',
    message: expect.stringMatching(/the sum of lengths: wanted .*2147483647, got/),
  }

  test('are rejected before anything is allocated', () => {
    const rows = new Float32Array(2 ** 24)
    const documents = Array<Float32Array>(129).fill(rows)
    expect(thrownBy(() => packSequence(documents, { inputSize: 1, device: cpu }))).toMatchObject(wanted)
    expect(thrownBy(() => new PackedIds(documents))).toMatchObject(wanted)
  })
})
