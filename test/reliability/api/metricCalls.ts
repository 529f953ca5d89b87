import { Writable } from 'node:stream'
import {
  classificationMetrics,
  classificationReport,
  confusionMatrix,
  notebookPrinter,
  presets,
  progressPrinter,
  rulesOf,
  type TrainingProgress,
} from '../../../src/compat/training.js'
import type { Call } from './opCalls.js'
import { expectSame, untyped, type World } from './world.js'

/** Metrics, and what is printed of training. */

/** Class ids, sometimes with an invalid one, or with another number of them. */
function pairs(world: World, classes: number): [truth: number[], predicted: number[]] {
  const { hostile } = world
  const wrong = hostile.once(6)
  const draw = () => (wrong ? hostile.number(hostile.below(classes + 1)) : hostile.below(classes))
  const count = hostile.below(12)
  const other = hostile.once(15) ? hostile.below(12) : count
  return [Array.from({ length: count }, draw), Array.from({ length: other }, draw)]
}

/** Recall, say: the share of `whole` in `part`, or `ofNothing` if `whole` is 0. */
function close(name: string, got: number, part: number, whole: number, ofNothing: number): void {
  const wanted = whole === 0 ? ofNothing : part / whole
  if (!(Math.abs(got - wanted) <= 1e-12)) throw new Error(`${name}: wanted ${wanted}, got ${got}`)
}

function metrics(world: World): void {
  const { hostile } = world
  const classes = 1 + hostile.below(4)
  const [truth, predicted] = pairs(world, classes)
  const names = Array.from({ length: hostile.once(20) ? hostile.below(6) : classes }, (_, i) => `class ${i}`)
  const zeroDivision = hostile.once(30) ? untyped<0>(hostile.number(2)) : hostile.oneOf([0, 1] as const)
  const labels = hostile.once(3) ? names.map((_, i) => (hostile.once(9) ? hostile.number(0) : i)) : undefined
  const options = { zeroDivision, ...(labels && { labels }) }
  const found = world.attempt('training.classificationMetrics', () =>
    classificationMetrics(truth, predicted, names, options),
  )
  world.attempt('training.classificationReport', () => {
    const digits = hostile.number(hostile.below(5))
    const report = classificationReport(truth, predicted, names, { ...options, digits })
    expectSame('classificationReport: lines', report.split('\n').length, names.length + 7)
  })
  if (found === null) return
  const count = (wanted: (t: number, p: number) => boolean) =>
    truth.filter((t, n) => wanted(t, predicted[n]!)).length
  const right = count((t, p) => t === p)
  close('accuracy', found.accuracy, right, truth.length, zeroDivision)
  for (const [i, { precision, recall, support }] of found.perClass.entries()) {
    const id = (labels ?? names.map((_, n) => n))[i]!
    const hits = count((t, p) => t === id && p === id)
    expectSame(
      'support',
      support,
      count(t => t === id),
    )
    close(
      'precision',
      precision,
      hits,
      count((_, p) => p === id),
      zeroDivision,
    )
    close('recall', recall, hits, support, zeroDivision)
  }
}

function progressOf(world: World): TrainingProgress {
  const { hostile } = world
  const [epochs, steps] = [hostile.number(3), hostile.number(4)]
  return {
    epoch: hostile.number(1 + hostile.below(3)),
    epochs,
    step: hostile.once(2) ? steps : hostile.number(1),
    steps,
    stepLoss: hostile.number(0.7),
    loss: hostile.number(0.7),
    tokens: hostile.number(100),
    tokensPerSecond: hostile.number(12345),
    elapsedSeconds: hostile.number(61.5),
    remainingSeconds: hostile.number(3600),
    skipped: null,
  }
}

/** A stream that counts how often it is written to. */
function counting(isTTY: boolean) {
  let writes = 0
  const stream = new Writable({
    write(_, __, done) {
      writes++
      done()
    },
  })
  return { stream: Object.assign(stream, { isTTY }), writes: () => writes }
}

export const metricCalls: Record<string, Call> = {
  metrics,
  confusionMatrix(world) {
    const { hostile } = world
    const classes = hostile.number(1 + hostile.below(4))
    const [truth, predicted] = pairs(world, classes < 100 ? Math.max(1, Math.ceil(classes)) : 3)
    const matrix = world.attempt('training.confusionMatrix', () => confusionMatrix(truth, predicted, classes))
    matrix?.forEach((row, t) => {
      const wanted = row.map((_, p) => truth.filter((id, n) => id === t && predicted[n] === p).length)
      expectSame('confusionMatrix', row, wanted)
    })
  },
  rulesOf(world) {
    const { hostile } = world
    const loop = hostile.once(5) ? untyped<'batched'>('all') : hostile.oneOf(['batched', 'document'] as const)
    const mode = hostile.once(5) ? untyped<'fixed'>(null) : hostile.oneOf(['fixed', 'notebook'] as const)
    const rules = world.attempt('training.rulesOf', () => rulesOf(loop, mode))
    if (rules !== null) expectSame('rulesOf: shuffles', rules.shuffles, mode === 'fixed')
    const preset = world.attempt('training.presets', () => presets['lstm64-adam'])
    if (preset !== null) expectSame('presets', preset.hiddenSize, 64)
  },
  progress(world) {
    const { hostile } = world
    const { stream, writes } = counting(hostile.once(2))
    const printer = world.attempt('training.progressPrinter', () =>
      progressPrinter({ stream, quiet: hostile.once(5) }),
    )
    if (printer === null) return
    try {
      for (let n = hostile.below(3); n > 0; n--) {
        world.attempt('training.progressPrinter', () => printer.update(progressOf(world)))
      }
    } finally {
      world.attempt('training.progressPrinter', () => printer.stop())
    }
    const before = writes()
    world.later(async () => {
      await new Promise(resolve => setTimeout(resolve, 2))
      expectSame('progressPrinter: writes after its stop', writes(), before)
    })
  },
  notebookProgress(world) {
    const { hostile } = world
    const { stream, writes } = counting(false)
    const form = hostile.once(10) ? untyped<'epoch'>('step') : hostile.oneOf(['epoch', 'iteration'] as const)
    const timeZone = hostile.oneOf(['UTC', 'Asia/Kolkata', 'Mars/Olympus', ''])
    const printer = world.attempt('training.notebookPrinter', () =>
      notebookPrinter({ stream, form, ...(hostile.once(2) && { timeZone }) }),
    )
    if (printer === null) return
    const progress = progressOf(world)
    world.attempt('training.notebookPrinter', () => printer.update(progress))
    printer.stop()
    const line = form === 'iteration' || !(progress.step < progress.steps)
    expectSame('notebookPrinter: lines', writes(), line ? 1 : 0)
  },
}
