import { expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { lstmForward, rnnForward } from '../../src/ops/recurrent.js'
import { packSequence } from '../../src/packed.js'
import { tensor } from '../../src/tensor.js'
import { G1, G3 } from '../reference/golden.js'
import { expectAllClose, expectClose } from './compare.js'
import { type Fixture, type LstmFixtures, readFixtures } from './fixtures.js'
import { type Problem, productNumbers, splitRows } from './lstmProblem.js'
import { products, type Target, type Tolerance, UNIT } from './target.js'

/** Known results of an LSTM: golden numbers, and PyTorch's. */

/**
 * A path through three layers of four steps, forward and backward, has 24 cells. Each has an error of about 4 units, from two
 * functions of an ulp or two: √24 · 4 units = 1.2e-6. Measured: 7e-7, and 1e-6 without fused multiply-add.
 */
const SMALL: Tolerance = products(32 * UNIT)

export function lstmGolden(target: Target): void {
  test('G1: the final state of one layer', async () => {
    const problem = { lstm: G1.lstm, bias: true, gradients: {} }
    const { hN, cN } = await productNumbers(target.open(), problem)
    expectClose(hN!, G1.hN, SMALL[target.precision], 'hN')
    expectClose(cN!, G1.cN, SMALL[target.precision], 'cN')
  })

  test('G3: two bidirectional layers over sequences that are not sorted', async () => {
    const problem = { lstm: G3.lstm, bias: true, gradients: G3.gradients }
    const found = await productNumbers(target.open(), problem)
    const sum = (name: string) => found[name]!.reduce((total, x) => total + x, 0)
    const norm = (...names: string[]) => Math.hypot(...names.flatMap(name => [...found[name]!]))
    const close = (actual: number[], expected: number[], name: string) =>
      expectClose(actual, expected, SMALL[target.precision], name)
    close(
      [sum('output'), norm('output') ** 2, sum('hN'), sum('cN'), sum('dInput')],
      [G3.sumOutput, G3.sumSquaredOutput, G3.sumHN, G3.sumCN, G3.sumDInput],
      'sums',
    )
    close([...found.output!.subarray(4, 8)], G3.output01, 'output[0, 1]')
    close([...found.dInput!.subarray(0, 3)], G3.dInput00, 'dInput[0, 0]')
    const places = G3.normsByPlace.map((_, place) =>
      ['wIh', 'wHh', 'bIh', 'bHh'].map(name => `dWeights[${place}].${name}`),
    )
    close(
      [norm('dInput'), norm('dH0'), norm('dC0'), norm(...places.flat())],
      [G3.normDInput, G3.normDH0, G3.normDC0, G3.normDWeights],
      'norms',
    )
    close(
      places.flat().map(name => norm(name)),
      G3.normsByPlace.flatMap(({ wIh, wHh, bias }) => [wIh, wHh, bias, bias]),
      'norms of dWeights',
    )
  })
}

export function lstmPyTorch(target: Target): void {
  test.each(readFixtures('lstm.json').cases)('PyTorch: $name', async fixture => {
    const { problem, expected } = fromFixture(fixture)
    expectAllClose(await productNumbers(target.open(), problem), expected, SMALL[target.precision])
  })
}

function fromFixture(fixture: LstmFixtures['cases'][number]): {
  problem: Problem
  expected: Record<string, readonly number[]>
} {
  const { inputSize, hiddenSize, numLayers, bidirectional, bias, lengths } = fixture
  const suffixes = bidirectional ? ['', '_reverse'] : ['']
  const layers = Array.from({ length: numLayers }, (_, l) => suffixes.map(suffix => `l${l}${suffix}`))
  const names = layers.flat().map(place => ({
    wIh: `weight_ih_${place}`,
    wHh: `weight_hh_${place}`,
    ...(bias && { bIh: `bias_ih_${place}`, bHh: `bias_hh_${place}` }),
  }))
  const values = (name: string | undefined) =>
    Float64Array.from((name && fixture.parameters[name]?.data) || new Float64Array(4 * hiddenSize))
  const weights = names.map(({ wIh, wHh, bIh, bHh }) => ({
    wIh: values(wIh),
    wHh: values(wHh),
    bIh: values(bIh),
    bHh: values(bHh),
  }))
  const lossWeights = ({ data }: Fixture, weight: (n: number) => number) => data.map((_, n) => weight(n))
  const width = suffixes.length * hiddenSize
  const sizes = { inputSize, hiddenSize, numLayers, bidirectional }
  const gradients = {
    dOutput: splitRows(
      lossWeights(fixture.output, n => Math.sin(1 + n)),
      lengths,
      width,
    ),
    dHN: Float64Array.from(lossWeights(fixture.hN, Math.cos)),
    dCN: Float64Array.from(lossWeights(fixture.cN, n => Math.cos(2 + n))),
  }
  const [h0, c0] = [Float64Array.from(fixture.h0.data), Float64Array.from(fixture.c0.data)]
  const { output, hN, cN, dInput, dH0, dC0 } = fixture
  const results = Object.entries({ output, hN, cN, dInput, dH0, dC0 })
  const ofWeights = names.flatMap((place, i) =>
    Object.entries(place).map(([name, key]): [string, Fixture] => [
      `dWeights[${i}].${name}`,
      fixture.dParameters[key]!,
    ]),
  )
  return {
    problem: {
      lstm: { inputs: splitRows(fixture.input.data, lengths, inputSize), weights, ...sizes, h0, c0 },
      bias,
      gradients,
    },
    expected: Object.fromEntries([...results, ...ofWeights].map(([name, { data }]) => [name, data])),
  }
}

/** Inputs that are exact in every precision: 8 significant bits, both signs, up to where σ is 0 or 1. */
function wholeRange(): Float32Array {
  const sizes: number[] = [0, 100]
  for (let exponent = -14; exponent < 6; exponent++) {
    for (let part = 0; part < 128; part++) sizes.push((1 + part / 128) * 2 ** exponent)
  }
  return Float32Array.from(sizes.flatMap(size => [size, -size]))
}

export function gateAccuracy(target: Target): void {
  const x = wholeRange()
  const each = (device: Device) =>
    packSequence(
      Array.from(x, value => Float32Array.of(value)),
      { inputSize: 1, device },
    )
  const matrix = (device: Device, values: number[]) => tensor(values, [values.length, 1], { device })
  const vector = (device: Device, values: number[]) => tensor(values, [values.length], { device })

  // The argument is scaled to powers of 2: by a rounded constant (a quarter of a unit) and with a rounding (one).
  test('σ of a gate: absolute error at most 1.2e-7, relative error at most 4 ulp plus 1.25 |x| units', async () => {
    const device = target.open()
    // One unit, whose cell is i g with g = 1 and i = σ(x).
    const weights = {
      wIh: matrix(device, [1, 0, 0, 0]),
      wHh: matrix(device, [0, 0, 0, 0]),
      bIh: vector(device, [0, -100, 100, 0]),
      bHh: vector(device, [0, 0, 0, 0]),
    }
    const { cN } = lstmForward(each(device), [weights], { hiddenSize: 1, train: false })
    const found = await cN.toArray()
    for (const [b, value] of x.entries()) {
      const wanted = 1 / (1 + Math.exp(-value))
      const error = Math.abs(found[b]! - wanted)
      expect(error, `at ${value}`).toBeLessThanOrEqual(2 * UNIT)
      expect(error, `at ${value}`).toBeLessThanOrEqual(
        (8 + 1.25 * Math.abs(value)) * UNIT * wanted + 2 ** -125,
      )
    }
  })

  test('tanh of a cell is within 4 units in the last place', async () => {
    const device = target.open()
    const weights = { wIh: matrix(device, [1]), wHh: matrix(device, [0]) }
    const { hN } = rnnForward(each(device), [weights], { hiddenSize: 1, train: false })
    const found = await hN.toArray()
    for (const [b, value] of x.entries()) {
      const wanted = Math.tanh(value)
      expect(Math.abs(found[b]! - wanted), `at ${value}`).toBeLessThanOrEqual(8 * UNIT * Math.abs(wanted))
    }
  })
}
