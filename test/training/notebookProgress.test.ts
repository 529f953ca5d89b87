import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { type NotebookPrinterOptions, notebookPrinter } from '../../src/training/notebookProgress.js'
import type { TrainingProgress } from '../../src/training/progress.js'

const first: TrainingProgress = {
  epoch: 1,
  epochs: 100,
  step: 1,
  steps: 2,
  stepLoss: 2,
  loss: 2,
  tokens: 1000,
  tokensPerSecond: 100,
  elapsedSeconds: 10,
  remainingSeconds: 990,
  skipped: null,
}

/** What is printed for events at the times of a fake clock. */
function printed(
  options: Omit<NotebookPrinterOptions, 'stream'>,
  events: Partial<TrainingProgress>[],
): string[] {
  const stream = new PassThrough({ encoding: 'utf8' })
  const printer = notebookPrinter({ stream, timeZone: 'UTC', ...options })
  for (const event of events) printer.update({ ...first, ...event })
  printer.stop()
  const text: string | null = stream.read()
  return text === null ? [] : text.split('\n').slice(0, -1)
}

test('prints a line an epoch, counted from 0, with one epoch too many in the remaining time', () => {
  const lines = printed({}, [
    { step: 1, stepLoss: 2 },
    { step: 2, stepLoss: 1, loss: 1.9, elapsedSeconds: 15.9 },
    { epoch: 2, step: 1, stepLoss: 0.5 },
    { epoch: 2, step: 2, stepLoss: 0.25, elapsedSeconds: 30 },
  ])
  expect(lines).toEqual([
    'epoch 0 / 100 1.5000 avg epoch 00:15 total elapsed 00:15 remaining 26:30',
    'epoch 1 / 100 0.3750 avg epoch 00:15 total elapsed 00:30 remaining 24:45',
  ])
})

test('times wrap after an hour: a run of 70 minutes shows 10', () => {
  const lines = printed({}, [{ epoch: 100, step: 2, elapsedSeconds: 70 * 60 + 7 }])
  expect(lines[0]).toMatch(/avg epoch 00:42 total elapsed 10:07 remaining 00:42$/)
})

test.each([
  ['Europe/Berlin', '00:15'],
  ['Asia/Kolkata', '30:15'],
  ['Asia/Kathmandu', '30:15'], // +5:30 in 1970
])('times are local clock times: in %s, 15 seconds are %s', (timeZone, time) => {
  const lines = printed({ timeZone }, [{ step: 2, elapsedSeconds: 15 }])
  expect(lines[0]).toContain(`total elapsed ${time} `)
})

test('prints a line a step; the remaining time is 0 for steps below a second', () => {
  const lines = printed({ form: 'iteration' }, [
    { step: 1, steps: 144, loss: 2.19722, elapsedSeconds: 0.999 },
    { step: 2, steps: 144, loss: 2.1, elapsedSeconds: 3 },
    { step: 144, steps: 144, loss: 1, elapsedSeconds: 500.125 },
  ])
  expect(lines).toEqual([
    'iter 1 / 144 1.00s 0.00s 2.1972',
    'iter 2 / 144 3.00s 142.00s 2.1000',
    'iter 144 / 144 500.12s 0.00s 1.0000',
  ])
})
