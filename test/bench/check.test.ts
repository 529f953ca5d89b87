import { describe, expect, test } from 'vitest'
import {
  about,
  type BenchCase,
  type CaseName,
  caseNames,
  cases,
  flopsOf,
  INPUT_SIZE,
} from '../../src/bench/cases.js'
import {
  type Computed,
  checkCase,
  compareWithReference,
  compute,
  shortDocuments,
  stateOf,
} from '../../src/bench/check.js'
import { checkLosses } from '../../src/bench/close.js'
import { inventDocuments, renumbered } from '../../src/bench/documents.js'
import { makeModel } from '../../src/bench/model.js'
import type { BenchPooling } from '../../src/bench/passes.js'
import { type ReferenceState, referenceLastHidden } from '../../src/bench/reference.js'
import * as library from '../../src/compat.js'
import { device } from '../../src/device.js'
import { packSequence } from '../../src/packed.js'
import { cellReference } from '../reference/cells.js'

const on = device('cpu', { threads: 1 })

test.each<[CaseName, number, number]>([
  ['A', 186_368, 405_504],
  ['B', 1_662_976, 4_988_928],
  ['C', 962_560, 2_887_680],
  ['GRU', 139_776, 304_128],
  ['Elman', 6_200, 12_600],
])('the operations for a token of %s', (name, forward, step) => {
  expect(flopsOf(cases[name])).toEqual({ forward, step, stepLast: step })
})

test('describes the cases', () => {
  expect(caseNames.map(name => about(cases[name])).slice(0, 2)).toEqual([
    'LSTM 300→64, one layer, frozen vectors',
    'LSTM 300→128, 2 layers, bidirectional, tuned vectors',
  ])
})

test('a batch of invented words has as many distinct words as German news', () => {
  const { documents, tokens, words } = renumbered(inventDocuments(256))
  expect(documents).toHaveLength(256)
  expect(tokens).toBeGreaterThan(90_000)
  expect(words / tokens).toBeCloseTo(0.273, 2)
})

describe('the reference', () => {
  test.each<[string, BenchCase]>([
    ['lstm', { ...cases.C, hiddenSize: 3, numLayers: 2 }],
    ['gru', { ...cases.GRU, hiddenSize: 3, numLayers: 2, bidirectional: true }],
    ['rnn', { ...cases.Elman, hiddenSize: 3, numLayers: 2, bidirectional: true }],
  ])('computes what that of the tests does: %s', async (cell, spec) => {
    const model = makeModel(library, spec, on, { words: 12, classes: 9 })
    const state = await stateOf(model)
    model.module.dispose()
    const { documents } = shortDocuments()
    const of = (name: string) => Float64Array.from(state.get(`recurrent.${name}`)!)
    const weights = ['l0', 'l0_reverse', 'l1', 'l1_reverse'].map(at => ({
      ...{ wIh: of(`weight_ih_${at}`), wHh: of(`weight_hh_${at}`) },
      ...{ bIh: of(`bias_ih_${at}`), bHh: of(`bias_hh_${at}`) },
    }))
    const table = Float64Array.from(state.get('embedding.weight')!)
    const [B, H] = [documents.length, 3]
    const { hN } = cellReference({
      cell: cell === 'rnn' ? 'tanh' : cell === 'gru' ? 'gru' : 'lstm',
      inputs: documents.map(ids =>
        Array.from(ids, id => [...table.subarray(id * INPUT_SIZE, (id + 1) * INPUT_SIZE)]),
      ),
      weights,
      ...{ inputSize: INPUT_SIZE, hiddenSize: H, projSize: 0, numLayers: 2, bidirectional: true },
      ...{ h0: new Float64Array(4 * B * H), c0: new Float64Array(4 * B * H) },
    })
    for (const [b, ids] of documents.entries()) {
      const wanted = [2, 3].flatMap(place => [...hN.subarray((place * B + b) * H, (place * B + b + 1) * H)])
      const found = referenceLastHidden(spec, state, ids)
      expect(found).toHaveLength(wanted.length)
      for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 12)
    }
  })
})

describe('the check', () => {
  const spec: BenchCase = { ...cases.B, hiddenSize: 8 }
  const batch = renumbered(inventDocuments(4))

  test('accepts correct results', async () => {
    const model = makeModel(library, spec, on, batch)
    expect(await checkCase(spec, on, model, batch)).toBeLessThan(1e-5)
    model.module.dispose()
  })

  test('rejects a wrong state of a document of the batch', async () => {
    const model = makeModel(library, spec, on, batch)
    const lastHidden = (ids: Parameters<typeof model.lastHidden>[0]) =>
      model.lastHidden(packSequence([ids.ids]))
    await expect(checkCase(spec, on, { ...model, lastHidden }, batch)).rejects.toThrow(
      /last states in the batch/,
    )
    model.module.dispose()
  })

  test.each<[string, RegExp, (right: Computed) => Computed]>([
    ['a state', /forward: lastHidden: off by/, right => ({ ...right, lastHidden: nudged(right.lastHidden) })],
    ['a loss', /forward: loss: off by/, right => ({ ...right, loss: right.loss * 1.001 })],
    [
      'a number that is none',
      /forward: lastHidden: off by NaN/,
      right => ({ ...right, lastHidden: Array.from(right.lastHidden, () => Number.NaN) }),
    ],
    [
      'a gradient too large',
      /backward: recurrent\.weight_hh_l1: off by/,
      changed('recurrent.weight_hh_l1', values => values.map(v => 1.01 * v)),
    ],
    [
      'a gradient with a row that is missing',
      /backward: recurrent\.weight_ih_l0_reverse: off by/,
      changed('recurrent.weight_ih_l0_reverse', values => values.map((v, i) => (i < INPUT_SIZE ? 0 : v))),
    ],
    [
      'a gradient of one word given to another',
      /backward: embedding\.weight: off by/,
      changed('embedding.weight', values => [...values.slice(INPUT_SIZE), ...values.slice(0, INPUT_SIZE)]),
    ],
    [
      'no gradient',
      /backward: classifier\.bias: wanted a gradient, got none/,
      right => ({
        ...right,
        gradients: new Map([...right.gradients].filter(([name]) => name !== 'classifier.bias')),
      }),
    ],
  ])('refuses %s', async (_, message, change) => {
    for (const pooling of ['final', 'mean'] as const) await refuses(pooling, message, change)
  })

  test('rejects the gradient of the other loss', async () => {
    const [state, last] = await computedBy('final')
    const [, mean] = await computedBy('mean')
    const mixed = { ...mean, gradients: last.gradients }
    expect(() => compareWithReference(spec, state, shortDocuments(), mixed, 1e-4)).toThrow(/backward: /)
    expect(mean.lastHidden).toEqual(last.lastHidden)
    expect(mean.loss).not.toBeCloseTo(last.loss, 3)
  })

  async function computedBy(pooling: BenchPooling): Promise<[ReferenceState, Computed]> {
    const model = makeModel(library, spec, on, { words: 12, classes: 9 }, pooling)
    const [state, computed] = [await stateOf(model), await compute(model, shortDocuments())]
    model.module.dispose()
    return [state, computed]
  }

  async function refuses(pooling: BenchPooling, message: RegExp, change: (right: Computed) => Computed) {
    const [state, computed] = await computedBy(pooling)
    expect(() => compareWithReference(spec, state, shortDocuments(), computed, 1e-4)).not.toThrow()
    expect(() => compareWithReference(spec, state, shortDocuments(), change(computed), 1e-4)).toThrow(message)
  }

  test('losses may differ within the tolerance only', () => {
    expect(() => checkLosses([2, 1.9995], [2, 1.999], 1e-4, 'x')).not.toThrow()
    expect(() => checkLosses([2, 1.99], [2, 1.999], 1e-4, 'x')).toThrow(/step 2: wanted the loss of x, 1.999/)
    expect(() => checkLosses([], [2], 1e-4, 'x')).toThrow(/step 1/)
  })
})

function nudged(values: ArrayLike<number>): number[] {
  return Array.from(values, (v, i) => (i === 5 ? v + 0.01 : v))
}

function changed(name: string, change: (values: number[]) => number[]) {
  return (right: Computed): Computed => ({
    ...right,
    gradients: new Map(
      [...right.gradients].map(([key, values]) => [key, key === name ? change(Array.from(values)) : values]),
    ),
  })
}
