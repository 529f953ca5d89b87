import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { cases } from '../../src/bench/cases.js'
import { inventDocuments, renumbered } from '../../src/bench/documents.js'
import { makeModel } from '../../src/bench/model.js'
import * as library from '../../src/compat.js'
import { type Device, device } from '../../src/device.js'
import { lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { tensor } from '../../src/tensor.js'
import { long } from './length.js'

/** More threads than the machine has cores cost little. It compares times, so it runs in `npm run test:reliability` alone. */

const MOST = 1.3
const THREADS = 16
const few = availableParallelism()

/** Something to time on a device, which is made with it. */
type Work = (on: Device) => () => void

const step: Work = on => {
  const data = renumbered(inventDocuments(256))
  const model = makeModel(library, cases.A, on, data)
  const batch = { ids: packSequence(data.documents), labels: data.labels }
  return () => model.step(batch).dispose()
}

function threeSequences(hiddenSize: number): Work {
  return on => {
    const generator = new Generator(5)
    const draw = (rows: number, columns: number) => {
      const values = Float32Array.from({ length: rows * columns }, () => generator.uniform(-0.05, 0.05))
      return tensor(values, [rows, columns], { device: on })
    }
    const weights = [{ wIh: draw(4 * hiddenSize, 64), wHh: draw(4 * hiddenSize, hiddenSize) }]
    const x = new PackedSequence(draw(180, 64), new Sequences([60, 60, 60]))
    const dOutput = draw(180, hiddenSize)
    return () =>
      scope(() => {
        lstmBackward(lstmForward(x, weights, { hiddenSize }).saved, { dOutput })
      })
  }
}

// Measured alternately, the least of each counts: what else the machine does makes a turn longer and never shorter. A machine that is busy
// gets more of them.
test.skipIf(!long).each([
  ["A's step", step],
  ['three sequences, H = 128', threeSequences(128)],
  ['three sequences, H = 512', threeSequences(512)],
])(`%s: ${THREADS} threads take at most ${MOST} times as long as ${few}`, async (name, work) => {
  const sides = [few, THREADS].map(threads => {
    const on = device('cpu', { threads })
    return { on, run: work(on), least: Number.POSITIVE_INFINITY }
  })
  const [usual, many] = [sides[0]!, sides[1]!]
  for (let turn = 0; turn < 10 || (turn < 100 && many.least > MOST * usual.least); turn++) {
    for (const side of sides) {
      await side.on.synchronize()
      const start = performance.now()
      side.run()
      await side.on.synchronize()
      if (turn > 0) side.least = Math.min(side.least, performance.now() - start)
    }
  }
  console.log(`${name}: ${(many.least / usual.least).toFixed(2)} times ${usual.least.toFixed(2)} ms`)
  expect(many.least / usual.least).toBeLessThanOrEqual(MOST)
})
