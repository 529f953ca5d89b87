import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import * as nn from '../../src/nn/index.js'
import { add, multiply } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { ranked, type Tensor, tensor } from '../../src/tensor.js'
import { expectAllClose, type Numbers } from './compare.js'
import { type Fixture, fixtureTensor, type ModuleFixtures, readFixtures } from './fixtures.js'
import { AT_THE_KINK, products, type Target, type Tolerance, UNIT } from './target.js'

/** Compares recurrent modules with PyTorch's, in every form of a batch: names, shapes, values and gradients. */

/** Two layers of four steps, forward and backward: see recurrentKnown.ts. */
const SMALL: Tolerance = products(32 * UNIT)

type Described = ModuleFixtures['modules'][number]
type Case = Described['cases'][number]
type Float = Tensor<'float32'>

/** The weight of each element of a result in the loss of the fixtures. */
const lossWeights: [name: string, weight: (n: number) => number][] = [
  ['output', n => Math.sin(1 + n)],
  ['hN', n => Math.cos(n)],
  ['cN', n => Math.cos(2 + n)],
]

export function modulesPyTorch(target: Target): void {
  for (const described of readFixtures('modules.json').modules) {
    const { module, options, cases } = described
    const variant = options.projSize ? ' with a projection' : (options.nonlinearity ?? '')
    for (const fixture of cases) {
      test(`PyTorch: ${module} ${variant} ${fixture.form}`, ({ skip }) => {
        if (options.nonlinearity === 'relu' && target.precision !== 'float32') skip(AT_THE_KINK)
        return likePyTorch(target, described, fixture)
      })
    }
  }
}

function moduleOf(device: Device, { module, options }: Described, batchFirst: boolean): nn.RecurrentModule {
  const given = { ...options, batchFirst, device }
  return module === 'LSTM' ? new nn.LSTM(given) : module === 'GRU' ? new nn.GRU(given) : new nn.RNN(given)
}

function forward(module: nn.RecurrentModule, { form, lengths }: Case, x: Float, h0: Float, c0: Float | null) {
  const state = <R extends 2 | 3>(rank: R) => ({ h0: ranked(h0, rank), c0: c0 && ranked(c0, rank) })
  switch (form) {
    case 'packed':
      return module.forward(new PackedSequence(ranked(x, 2), new Sequences(lengths)), state(3))
    case 'alone':
      return module.forward(ranked(x, 2), state(2))
    default:
      return module.forward(ranked(x, 3), state(3))
  }
}

function likePyTorch(target: Target, described: Described, fixture: Case): Promise<void> {
  return scope(async () => {
    const device = target.open()
    using module = moduleOf(device, described, fixture.form === 'batchFirst')
    const parameters = Object.entries(described.parameters)
    expect(module.namedParameters().map(([name]) => name)).toEqual(parameters.map(([name]) => name))
    module.loadStateDict(
      new Map(parameters.map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }])),
    )
    const given = (value: Fixture) => fixtureTensor(target, value, value.shape.length)
    const [x, h0, c0] = [given(fixture.input), given(fixture.h0), fixture.c0 && given(fixture.c0)]
    const result = forward(module, fixture, x, h0, c0)
    const { output, hN } = result
    const found: Record<string, Float> = {
      output: output instanceof PackedSequence ? output.data : output,
      hN,
      ...(result instanceof nn.LstmOutput && { cN: result.cN }),
    }
    const parts = lossWeights.flatMap(([name, weight]) => {
      const value = found[name]
      if (value === undefined) return []
      const weights = Float32Array.from({ length: value.size }, (_, n) => weight(n))
      return sum(multiply(value, tensor<number>(weights, value.shape, { device })))
    })
    parts.reduce(add).backward()
    Object.assign(found, { dInput: x.grad, dH0: h0.grad, ...(c0 && { dC0: c0.grad }) })
    const expected: Record<string, Fixture> = {}
    for (const name of ['output', 'hN', 'cN', 'dInput', 'dH0', 'dC0'] as const) {
      const value = fixture[name]
      if (value !== null) expected[name] = value
    }
    for (const [name, { grad }] of fixture.dParameters === null ? [] : module.namedParameters()) {
      if (grad !== null) found[`d ${name}`] = grad
      expected[`d ${name}`] = fixture.dParameters![name]!
    }
    expect(shapesOf(found)).toEqual(shapesOf(expected))
    const numbers: Numbers = {}
    for (const [name, value] of Object.entries(found)) numbers[name] = await value.toArray()
    const data = Object.entries(expected).map(([name, value]): [string, number[]] => [name, value.data])
    expectAllClose(numbers, Object.fromEntries(data), SMALL[target.precision])
  })
}

function shapesOf(values: Record<string, { shape: readonly number[] }>): [string, number[]][] {
  return Object.entries(values).map(([name, { shape }]) => [name, [...shape]])
}
