import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { noGrad } from '../../src/autograd.js'
import * as nn from '../../src/nn/index.js'
import { add, multiply } from '../../src/ops/elementwise.js'
import { packPaddedSequence, padPackedSequence } from '../../src/ops/packing.js'
import { sum } from '../../src/ops/reduce.js'
import { reshape } from '../../src/ops/shape.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { memory, type Tensor, tensor } from '../../src/tensor.js'
import { concatColumnsReference, maxPoolReference, meanPoolReference } from '../reference/pooling.js'
import {
  expectAllSameBits,
  expectClose,
  expectReproducible,
  expectSameBits,
  type Numbers,
} from './compare.js'
import { modulesPyTorch } from './modulesKnown.js'
import { type Target, UNIT } from './target.js'

type Matrix = Tensor<'float32', 2>
type Make = (options: nn.RecurrentModuleOptions) => nn.RecurrentModule

const variants: { name: string; make: Make }[] = [
  { name: 'LSTM', make: options => new nn.LSTM(options) },
  { name: 'LSTM with a projection', make: options => new nn.LSTM({ ...options, projSize: 3 }) },
  { name: 'GRU', make: options => new nn.GRU(options) },
  { name: 'GRU that resets first', make: options => new nn.GRU({ ...options, resetAfter: false }) },
  { name: 'RNN', make: options => new nn.RNN(options) },
  { name: 'RNN of relu', make: options => new nn.RNN({ ...options, nonlinearity: 'relu' }) },
]

const SIZES = { inputSize: 5, hiddenSize: 18, numLayers: 2 }

export function modulesSuite(target: Target): void {
  describe(`recurrent modules on ${target.name}`, () => {
    modulesPyTorch(target)
    describe.each(variants)('$name', ({ make }) => {
      forms(target, make)
      streaming(target, make)
      test('the same bits twice and with 1, 2 and 3 threads', () =>
        expectReproducible(target, async device => {
          using module = make({ ...SIZES, bidirectional: true, device, generator: new Generator(1) })
          return await outcome(module, 'packed', [17, 3])
        }))
    })
    pooled(target)
    parameters(target)
    embeddings(target)
  })
}

/** `length` numbers from -1 to 1. */
function drawn(length: number): Float32Array {
  const generator = new Generator(5)
  return Float32Array.from({ length }, () => generator.uniform(-1, 1))
}

type Form = 'packed' | 'timeFirst' | 'batchFirst' | 'alone'

/** A module's values and gradients for B sequences of T tokens in one form, with the rows in packed order. */
function outcome(module: nn.RecurrentModule, form: Form, [B, T]: [number, number]): Promise<Numbers> {
  return scope(async () => {
    const device = module.parameters()[0]!.device
    const I = module.inputSize
    const data = tensor<2>(drawn(B * T * I), [B * T, I], { device, requiresGrad: true })
    const lengths = new Array<number>(B).fill(T)
    const packed = new PackedSequence(data, new Sequences(lengths))
    const run = (): { rows: Matrix; hN: Tensor<'float32'> } => {
      switch (form) {
        case 'packed': {
          const { output, hN } = module.forward(packed)
          return { rows: output.data, hN }
        }
        case 'timeFirst': {
          const { output, hN } = module.forward(padPackedSequence(packed).output)
          expect(output.shape.slice(0, 2)).toEqual([T, B])
          return { rows: packPaddedSequence(output, lengths).data, hN }
        }
        case 'batchFirst': {
          const { output, hN } = module.forward(reshape(data, [B, T, I]))
          expect(output.shape.slice(0, 2)).toEqual([B, T])
          return { rows: reshape(output, [B * T, output.shape[2]]), hN }
        }
        case 'alone': {
          const { output, hN } = module.forward(data)
          expect(hN.shape).toHaveLength(2)
          return { rows: output, hN }
        }
      }
    }
    const { rows, hN } = run()
    const weighted = (values: Tensor<'float32'>) =>
      sum(multiply(values, tensor<number>(drawn(values.size), values.shape, { device })))
    add(weighted(rows), weighted(hN)).backward()
    const numbers: Numbers = { rows: await rows.toArray(), hN: await hN.toArray() }
    numbers.dInput = await data.grad!.toArray()
    for (const [name, { grad }] of module.namedParameters()) numbers[`d ${name}`] = await grad!.toArray()
    return numbers
  })
}

function forms(target: Target, make: Make): void {
  test('padded batches and single sequences have the same values and gradients as packed sequences, bit for bit', async () => {
    const run = async (form: Form, sizes: [number, number]) => {
      const options = { ...SIZES, bidirectional: true, batchFirst: form === 'batchFirst' }
      using module = make({ ...options, device: target.open(), generator: new Generator(1) })
      return await outcome(module, form, sizes)
    }
    const packed = await run('packed', [3, 4])
    expectAllSameBits(await run('timeFirst', [3, 4]), packed)
    expectAllSameBits(await run('batchFirst', [3, 4]), packed)
    expectAllSameBits(await run('alone', [1, 4]), await run('packed', [1, 4]))
  })
}

function streaming(target: Target, make: Make): void {
  test('token by token with carried states, the bits are those of whole sequences', async () => {
    const device = target.open()
    using module = make({ ...SIZES, device, generator: new Generator(1) })
    const T = 7
    const values = drawn(T * SIZES.inputSize)
    await scope(() =>
      noGrad(async () => {
        const whole = module.forward(tensor<2>(values, [T, SIZES.inputSize], { device }))
        let state: nn.RecurrentState<2> | null = null
        const rows: number[] = []
        for (let t = 0; t < T; t++) {
          const token = values.subarray(t * SIZES.inputSize, (t + 1) * SIZES.inputSize)
          const result: nn.RecurrentOutput<Matrix, 2> = module.forward(
            tensor<2>(token, [1, SIZES.inputSize], { device }),
            state,
          )
          rows.push(...(await result.output.toArray()))
          state = result.state
        }
        expectSameBits(Float32Array.from(rows), await whole.output.toArray(), 'output')
        expectSameBits(await state!.h.toArray(), await whole.hN.toArray(), 'hN')
        if (whole instanceof nn.LstmOutput && state instanceof nn.LstmState) {
          expectSameBits(await state.c.toArray(), await whole.cN.toArray(), 'cN')
        }
      }),
    )
  })

  test('in padded chunks, the bits are those of whole sequences', async () => {
    const device = target.open()
    using module = make({ ...SIZES, batchFirst: true, device, generator: new Generator(1) })
    const [B, I] = [2, SIZES.inputSize]
    const values = drawn(B * 6 * I)
    const steps = (from: number, to: number) => {
      const rows = Array.from({ length: B }, (_, b) => [
        ...values.subarray((b * 6 + from) * I, (b * 6 + to) * I),
      ])
      return tensor<3>(rows.flat(), [B, to - from, I], { device })
    }
    await scope(() =>
      noGrad(async () => {
        const whole = module.forward(steps(0, 6))
        const first = module.forward(steps(0, 2))
        const state = { h0: first.hN, c0: first instanceof nn.LstmOutput ? first.cN : null }
        const second = module.forward(steps(2, 6), state)
        expectSameBits(await second.lastOutput().toArray(), await whole.lastOutput().toArray())
        expectSameBits(await second.hN.toArray(), await whole.hN.toArray())
      }),
    )
  })
}

function pooled(target: Target): void {
  test('pooling returns one row for each sequence, in every form', async () => {
    const device = target.open()
    const options = { inputSize: 2, hiddenSize: 3, bidirectional: true, device, generator: new Generator(2) }
    using packing = new nn.GRU(options)
    const x = packSequence([drawn(6), drawn(0), drawn(2)], { inputSize: 2, device })
    const result = packing.forward(x)
    const rows = Float64Array.from(await result.output.data.toArray())
    const largest = maxPoolReference(rows, [3, 0, 1], 6)
    const mean = meanPoolReference(rows, [3, 0, 1], 6)
    const last = Float64Array.from(await result.lastHidden().toArray())
    const few = 8 * UNIT
    expectClose(await result.maxPool().toArray(), largest, 0)
    expectClose(await result.meanPool().toArray(), mean, few)
    const expected = concatColumnsReference([last, largest, mean], 3)
    expectClose(await result.concatPool().toArray(), expected, few)
    expect(result.concatPool().shape).toEqual([3, 18])

    for (const batchFirst of [false, true]) {
      using module = new nn.LSTM({ ...options, batchFirst })
      const cube = tensor<3>(drawn(12), batchFirst ? [3, 2, 2] : [2, 3, 2], { device })
      const padded = module.forward(cube)
      const [output, lengths] = [padded.output, [2, 2, 2]]
      const packed = packPaddedSequence(output, lengths, { batchFirst })
      const values = Float64Array.from(await packed.data.toArray())
      expectClose(await padded.maxPool().toArray(), maxPoolReference(values, lengths, 6), 0)
      const lasts = [1, 3, 5].flatMap(row => [...values.subarray(6 * row, 6 * row + 6)])
      expectClose(await padded.lastOutput().toArray(), lasts, 0)
      expect(padded.lastHidden().shape).toEqual([3, 6])

      const alone = module.forward(tensor<2>(drawn(6), [3, 2], { device }))
      expect(alone.concatPool().shape).toEqual([1, 18])
      expect(alone.lastOutput().shape).toEqual([1, 6])
    }
  })

  test('the type of the output is the type of the input', () => {
    const device = target.open()
    using lstm = new nn.LSTM({ inputSize: 2, hiddenSize: 3, device })
    const alone = lstm.forward(tensor<2>(drawn(4), [2, 2], { device }))
    expectTypeOf(alone.output).toEqualTypeOf<Matrix>()
    expectTypeOf(alone.cN).toEqualTypeOf<Matrix>()
    const padded = lstm.forward(tensor<3>(drawn(4), [2, 1, 2], { device }))
    expectTypeOf(padded.output).toEqualTypeOf<Tensor<'float32', 3>>()
    const packed = lstm.forward(packSequence([drawn(4)], { inputSize: 2, device }))
    expectTypeOf(packed.output).toEqualTypeOf<PackedSequence>()
    expectTypeOf(packed.cN).toEqualTypeOf<Tensor<'float32', 3>>()
    expect([alone.cN.shape, padded.output.shape, packed.cN.shape]).toEqual([
      [1, 3],
      [2, 1, 3],
      [1, 1, 3],
    ])
  })

  test('a call leaves no tensors except its results', () => {
    const device = target.open()
    for (const batchFirst of [false, true]) {
      using module = new nn.LSTM({ inputSize: 2, hiddenSize: 3, batchFirst, device })
      using cube = tensor<3>(drawn(12), [2, 3, 2], { device })
      using rows = tensor<2>(drawn(6), [3, 2], { device })
      using h0 = tensor<2>(drawn(3), [1, 3], { device })
      const before = memory().tensors
      noGrad(() => {
        const results = [module.forward(cube), module.forward(rows, { h0 })]
        expect(memory().tensors - before).toBe(6)
        for (const { output, hN, cN } of results) for (const part of [output, hN, cN]) part.dispose()
        module.forward(rows).concatPool()
      })
      // Output, hN, cN and the pooled rows.
      expect(memory().tensors - before).toBe(4)
    }
  })
}

function parameters(target: Target): void {
  test('all parameters are initialized uniformly on ±1/√H, from one stream', async () => {
    const device = target.open()
    const options = { inputSize: 3, hiddenSize: 16, numLayers: 2, device }
    for (const { make } of variants) {
      using module = make({ ...options, generator: new Generator(3) })
      using again = make({ ...options, generator: new Generator(3) })
      const state = await module.stateDict()
      const generator = new Generator(3)
      for (const [name, { data }] of state) {
        const expected = Float32Array.from(data, () => generator.uniform(-0.25, 0.25))
        expectSameBits(data, expected, name)
      }
      expect(await again.stateDict()).toEqual(state)
    }
  })

  test('each call has a new mask, and evaluation mode has none', async () => {
    const device = target.open()
    using module = new nn.GRU({ ...SIZES, dropout: 0.5, device, generator: new Generator(1) })
    const x = packSequence([drawn(20)], { inputSize: 5, device })
    const run = () => module.forward(x).output.data.toArray()
    const [first, second] = [await run(), await run()]
    expect(first).not.toEqual(second)
    module.eval()
    expect(await run()).toEqual(await run())
    expect(module.masks.step).toBe(2)
  })

  test.each(variants)('$name warns of dropout with one layer', ({ make }) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    using module = make({ inputSize: 1, hiddenSize: 4, dropout: 0.1, device: target.open() })
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      `nn.${module.constructor.name}: dropout acts between layers, and there is one layer: it has no effect`,
    )
    warn.mockRestore()
  })
}

function embeddings(target: Target): void {
  test('an embedding’s padding row is initialized to zeros or the given values, and does not change', async () => {
    const device = target.open()
    const options = { numEmbeddings: 3, embeddingDim: 2, device }
    using plain = new nn.Embedding({ ...options, generator: new Generator(1) })
    using padded = new nn.Embedding({ ...options, paddingIdx: 1, generator: new Generator(1) })
    const expected = await plain.weight.toArray()
    expected.fill(0, 2, 4)
    expectSameBits(await padded.weight.toArray(), expected)
    padded.forward(packSequence([[1, 2]])).data.backward(tensor([1, 2, 3, 4], [2, 2], { device }))
    expect([...(await padded.weight.grad!.toArray())]).toEqual([0, 0, 0, 0, 3, 4])
    using given = nn.Embedding.fromPretrained(Float32Array.of(1, 2, 3, 4), 2, { device, paddingIdx: 0 })
    expect([...(await given.weight.toArray())]).toEqual([1, 2, 3, 4])
    expect(given.paddingIdx).toBe(0)
  })
}
