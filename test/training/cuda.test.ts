import { expect, test } from 'vitest'
import { Trainer } from '../../src/compat/training.js'
import { type Device, device } from '../../src/device.js'
import { presets } from '../../src/models/presets.js'
import { rulesOf } from '../../src/tasks/rules.js'
import { cudaTarget, whyNoCuda } from '../cuda.js'
import { expectClose } from '../suite/compare.js'
import { data, shortClassifier } from './short.js'

/**
 * Eight steps of Adam move each parameter by at most 0.08, at first by the sign of its gradient alone. Where that gradient
 * is noise the devices may differ in it, and then the loss does not depend on it: only roundings are left in the loss.
 */
const LOSS = 1e-5

/** The losses of the steps of two epochs, in batches of 16, and the means of the epochs. */
async function losses(on: Device): Promise<number[]> {
  const preset = { ...presets['lstm64-adam'], batchSize: 16 }
  const model = shortClassifier('lstm64-adam', { on })
  const trainer = new Trainer(model, { ...preset, rules: rulesOf('batched', 'fixed') })
  const steps: number[] = []
  const order = { epochs: 2, shuffleSeed: 1 }
  for await (const { stepLoss } of trainer.fit(data, order)) steps.push(stepLoss)
  return [...steps, ...trainer.history.map(({ loss }) => loss)]
}

const reason = whyNoCuda()
const title = 'two epochs of lstm64-adam on 64 articles have the losses that they have on the CPU'
test.skipIf(reason !== null)(reason === null ? title : `${title}: ${reason}`, async () => {
  const [expected, found] = [await losses(device('cpu')), await losses(cudaTarget('float32').open())]
  expect(expected).toHaveLength(10)
  expect(expected.at(-1)).toBeLessThan(expected.at(-2)!)
  expectClose(found, expected, LOSS, 'losses')
})
