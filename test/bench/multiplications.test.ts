import { describe, expect, test } from 'vitest'
import { type BenchCase, cases, flopsOf } from '../../src/bench/cases.js'
import type { Participant, Turn } from '../../src/bench/context.js'
import { makeModel } from '../../src/bench/model.js'
import { multiplicationsByPass, multiplicationsOf } from '../../src/bench/multiplications.js'
import type { Pass } from '../../src/bench/passes.js'
import { BenchProcess } from '../../src/bench/process.js'
import {
  type CaseResult,
  compareRows,
  multiplicationsBeside,
  ratiosOf,
  rowsOf,
} from '../../src/bench/rows.js'
import { walkedRows } from '../../src/bench/walked.js'
import * as library from '../../src/compat.js'
import { device } from '../../src/device.js'
import { packSequence } from '../../src/packed.js'

const on = device('cpu', { threads: 1 })

describe('multiplications', () => {
  test('are half of the operations if every token is computed', () => {
    for (const spec of Object.values(cases)) {
      const work = { rows: 7, inputRows: 7, inputGradient: spec.tuneEmbedding }
      const { forward, step } = flopsOf(spec)
      expect(multiplicationsOf(spec, work)).toEqual({ forward: 3.5 * forward, step: 3.5 * step })
    }
  })

  test('are fewer with distinct words, without an unneeded gradient, and if the backward pass ends early', () => {
    const [H, I, gates] = [64, 300, 256]
    const all = { rows: 100, inputRows: 30, inputGradient: false }
    const forward = gates * (30 * I + 100 * H)
    expect(multiplicationsByPass(cases.A, all)).toEqual({
      forward,
      step: forward + gates * (30 * I + 2 * 100 * H),
      stepLast: forward + gates * (30 * I + 2 * 100 * H),
    })
    expect(multiplicationsOf(cases.A, { ...all, inputGradient: true }).step).toBe(
      forward + gates * (2 * 30 * I + 2 * 100 * H),
    )
    const backward = [[{ rows: 40, inputRows: 9 }]]
    expect(multiplicationsOf(cases.A, { ...all, backward }).step).toBe(forward + gates * (9 * I + 2 * 40 * H))
  })
})

describe('the rows of a backward pass from the last states', () => {
  const LENGTHS = [400, 3]
  const ids = packSequence(LENGTHS.map(length => Int32Array.from({ length }, (_, t) => t % 12)))
  const walked = async (spec: BenchCase) => {
    const model = makeModel(library, spec, on, { words: 12, classes: 9 })
    const found = await walkedRows(spec, on, model, ids)
    for (const [, { grad }] of model.module.namedParameters()) expect(grad).toBeNull()
    model.module.dispose()
    return found
  }

  test('end at the first gradient of 0, in each direction', async () => {
    const spec: BenchCase = { ...cases.B, hiddenSize: 8, numLayers: 1 }
    const [layer] = await walked(spec)
    expect(layer).toHaveLength(2)
    for (const { rows } of layer!) {
      expect(rows).toBeGreaterThan(30)
      expect(rows).toBeLessThan(403)
    }
  })

  test('are all rows if the layer above has a gradient for all of them', async () => {
    const spec: BenchCase = { ...cases.C, hiddenSize: 8, numLayers: 2 }
    const [below, above] = await walked(spec)
    expect(above!.every(({ rows, inputRows }) => rows < 403 && inputRows === rows)).toBe(true)
    for (const [d, { rows, inputRows }] of below!.entries()) {
      expect(rows).toBeGreaterThan(above![d]!.rows)
      expect(inputRows).toBe(12)
    }
  })
})

test('each ratio shows the multiplications per token of both sides', async () => {
  const process = new BenchProcess('nobody', '/bin/true', [])
  const turn = (who: string, pass: Pass, tokens: number, multiplications: number): Turn => ({
    ...{ who, pass, tokens, multiplications, question: '' },
  })
  const times = new Map<Turn, { seconds: number; javascript: null }[]>()
  const participant = (ours: boolean, all: [Turn, number][]): Participant => {
    for (const [one, seconds] of all) times.set(one, [{ seconds, javascript: null }])
    return { process, turns: all.map(([one]) => one), notes: {}, ours }
  }
  const everybody = [
    participant(true, [
      [turn('ours', 'forward', 100, 1000), 1],
      [turn('ours', 'stepLast', 100, 2000), 2],
    ]),
    {
      ...participant(true, [[turn('ours in bfloat16', 'forward', 100, 1000), 0.5]]),
      precision: 'bfloat16' as const,
    },
    participant(false, [
      [turn('slow', 'forward', 100, 9000), 4],
      [turn('fast', 'forward', 50, 4000), 1],
    ]),
    {
      ...participant(false, [[turn('fastest in bfloat16', 'forward', 100, 1000), 0.25]]),
      precision: 'bfloat16' as const,
    },
  ]
  const flops = { forward: 1, step: 1, stepLast: 1 }
  const ceilings = { flopsOfOne: 1, flopsOfAll: 1, bandwidth: 1 }
  const rows = compareRows(everybody.flatMap(one => rowsOf(one, times, flops, ceilings)))
  const facts = { about: '', flops, ceilings, largestError: 0, othersCores: null, failed: {} }
  const found: CaseResult = { ...facts, rows }
  expect(ratiosOf({ A: found })).toEqual({ A: { forward: 2, step: null, stepLast: null } })
  expect(multiplicationsBeside({ A: found })).toEqual({
    A: { forward: { ours: 10, best: 80, peer: 'fast' }, step: null, stepLast: null },
  })
  expect(rows.map(({ who, forward }) => [who, forward?.oursIsFasterBy])).toEqual([
    ...[
      ['ours', null],
      ['ours in bfloat16', 0.5],
      ['slow', 4],
      ['fast', 2],
      ['fastest in bfloat16', 0.5],
    ],
  ])
  await process.close()
})
