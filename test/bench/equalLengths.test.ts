import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BenchCase, cases, INPUT_SIZE } from '../../src/bench/cases.js'
import { stateOf } from '../../src/bench/check.js'
import type { Ours, Peer, Setting } from '../../src/bench/context.js'
import {
  computeEqualLengths,
  type EqualLengths,
  equalLengthsParts,
  splitEqualLengths,
} from '../../src/bench/equalLengths.js'
import { hashed } from '../../src/bench/hashed.js'
import { makeModel, parametersOf } from '../../src/bench/model.js'
import type { Pass } from '../../src/bench/passes.js'
import { findOneDnn } from '../../src/bench/peers/onednn.js'
import { referenceLastHidden } from '../../src/bench/reference.js'
import * as library from '../../src/compat.js'
import { device } from '../../src/device.js'
import { writeSafetensors } from '../../src/formats/safetensors.js'
import { stateEntries } from '../../src/formats/stateDict.js'

const on = device('cpu', { threads: 1 })
const size = { words: 12, classes: 9 }

test.each<[string, BenchCase]>([
  ['one direction', { ...cases.A, hiddenSize: 5 }],
  ['two layers and directions', { ...cases.B, hiddenSize: 5 }],
])('the states are those of the float64 reference: %s', async (_, spec) => {
  const [steps, sequences] = [4, 3]
  const model = makeModel(library, spec, on, size)
  const given = { pass: 'forward', steps, sequences } as const
  const numbers = await computeEqualLengths(spec, on, model, given)
  const table = hashed(steps * sequences * INPUT_SIZE)
  const state = new Map([...(await stateOf(model)), ['embedding.weight', table]])
  const wanted = Array.from({ length: sequences }, (_, n) =>
    referenceLastHidden(
      spec,
      state,
      Array.from({ length: steps }, (_, t) => n * steps + t),
    ),
  ).flat()
  expect(numbers).toHaveLength(wanted.length)
  for (const [i, value] of wanted.entries()) expect(numbers[i]).toBeCloseTo(value, 6)
  model.module.dispose()
})

test('a file of another length is rejected', () => {
  const given = { pass: 'step', steps: 2, sequences: 3 } as const
  const count = equalLengthsParts(cases.A, given).reduce((sum, part) => sum + part.count, 0)
  expect(Object.keys(splitEqualLengths(cases.A, given, new Float32Array(count)))).toEqual([
    ...['lastHidden', 'weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'input'],
  ])
  expect(() => splitEqualLengths(cases.A, given, new Float32Array(count - 1))).toThrow(/wanted \d+ numbers/)
})

const hasOneDnn =
  spawnSync('g++', ['-fsyntax-only', '-x', 'c++', '-include', 'oneapi/dnnl/dnnl.hpp', '/dev/null']).status ===
  0

describe.skipIf(!hasOneDnn)('oneDNN', () => {
  let folder: string
  let peer: Peer
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-rnn-onednn-test-'))
    const found = await findOneDnn(folder)
    if ('missing' in found) throw new Error(found.missing)
    peer = found
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** Joins a case whose own results are changed by `change`. */
  async function joinWith(
    name: 'A' | 'B',
    change: (given: EqualLengths, numbers: Float32Array) => Float32Array,
  ) {
    const model = makeModel(library, cases[name], on, size)
    const parameters = join(folder, `${name}.safetensors`)
    await writeFile(parameters, writeSafetensors(stateEntries(await parametersOf(model))))
    const setting: Setting = {
      ...{
        ...size,
        name,
        threads: 1,
        library: '',
        precision: 'float32',
        folder,
        parameters,
        checkedSteps: 1,
      },
      ...{ documents: 5, tokens: 31, few: { documents: 1, tokens: 6 } },
    }
    const ours: Ours = {
      losses: () => Promise.reject(new Error('oneDNN has no loss')),
      states: () => Promise.reject(new Error('oneDNN has no documents')),
      equalLengths: async given => change(given, await computeEqualLengths(cases[name], on, model, given)),
    }
    try {
      const joined = await peer.join(setting, ours)
      await joined?.process.close()
      return joined
    } finally {
      model.module.dispose()
    }
  }

  test.each(['A', 'B'] as const)('computes the same states and gradients of %s', async name => {
    const joined = await joinWith(name, (_, numbers) => numbers)
    expect(joined?.turns.map(({ pass, tokens }) => [pass, tokens])).toEqual([
      ['forward', 30],
      ['step', 30],
      ['stepLast', 30],
    ])
  })

  test.each<[Pass, string]>([
    ['forward', 'lastHidden'],
    ['step', 'weight_hh_l0_reverse'],
    ['step', 'input'],
    ['stepLast', 'weight_ih_l1'],
    ['stepLast', 'bias_ih_l0'],
  ])('throws where another result is wanted: %s, %s', async (pass, name) => {
    const wrong = joinWith('B', (given, numbers) => {
      if (given.pass === pass) splitEqualLengths(cases.B, given, numbers)[name]![3]! += 1
      return numbers
    })
    await expect(wrong).rejects.toThrow(`${pass}: ${name}: off by`)
  })
})
