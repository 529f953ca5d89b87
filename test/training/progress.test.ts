import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { progressPrinter, type TrainingProgress } from '../../src/training/progress.js'

class FakeStream extends Writable {
  readonly isTTY: boolean
  readonly columns = 120
  text = ''

  constructor(isTTY: boolean) {
    super({ decodeStrings: false })
    this.isTTY = isTTY
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk
    done()
  }
}

const first: TrainingProgress = {
  epoch: 1,
  epochs: 100,
  step: 36,
  steps: 37,
  stepLoss: 2,
  loss: 2.19722,
  tokens: 53_000_000,
  tokensPerSecond: 1_234_567,
  elapsedSeconds: 42.9,
  remainingSeconds: 4203.5,
  skipped: null,
}

test('a terminal shows a bar with loss, speed, elapsed and remaining time', () => {
  const stream = new FakeStream(true)
  const printer = progressPrinter({ stream })
  printer.update(first)
  expect(stream.text).toContain(
    'epoch 1/100 [----------] 0%  loss 2.1972  1.23M tokens/s  0:00:42, 1:10:03 left',
  )
  printer.update({ ...first, epoch: 50, step: 37, loss: 0.5, elapsedSeconds: 3600, remainingSeconds: 3599 })
  printer.stop()
  expect(stream.text).toContain(
    'epoch 50/100 [=====-----] 50%  loss 0.5000  1.23M tokens/s  1:00:00, 0:59:59 left',
  )
})

test('the bar draws nothing before the first event and changes no setting of the terminal', () => {
  const stream = new FakeStream(true)
  const printer = progressPrinter({ stream })
  expect(stream.text).toBe('')
  printer.update(first)
  printer.stop()
  expect(stream.text).not.toContain('\x1b[?')
  expect(stream.text.endsWith('\n')).toBe(true)
  const stopped = stream.text
  printer.stop()
  expect(stream.text).toBe(stopped)
})

test('anything else receives one plain line an epoch', () => {
  const stream = new FakeStream(false)
  const printer = progressPrinter({ stream })
  printer.update(first)
  expect(stream.text).toBe('')
  printer.update({ ...first, step: 37, remainingSeconds: Number.NaN })
  printer.update({ ...first, epoch: 2, step: 1 })
  printer.stop()
  expect(stream.text).toBe('epoch 1/100  loss 2.1972  1.23M tokens/s  elapsed 0:00:42  remaining -:--:--\n')
})

test.each([true, false])('quiet prints nothing (terminal: %s)', isTTY => {
  const stream = new FakeStream(isTTY)
  const printer = progressPrinter({ stream, quiet: true })
  printer.update({ ...first, step: 37 })
  printer.stop()
  expect(stream.text).toBe('')
})

test('stopping before the first event prints nothing', () => {
  const stream = new FakeStream(true)
  progressPrinter({ stream }).stop()
  expect(stream.text).toBe('')
})
