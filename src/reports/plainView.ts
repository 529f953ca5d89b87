import * as v from 'valibot'
import { median } from '../median.js'
import { type FinishedRun, finishedRun, minutesFor100 } from './finishedRun.js'
import { duration, minutes, rough } from './numbers.js'
import type { Figure, TaskView } from './taskView.js'

/** What pages show of a task that has no view: the metrics that it reports. */
export function plainView(task: string): TaskView {
  const kind = { task, schema: v.looseObject({}) }
  const names = ({ results }: FinishedRun) => Object.keys(results.metrics)
  return {
    read: directory => finishedRun(directory, kind),
    name: () => task,
    lead: ({ epochs }) => `Trained for ${plural(epochs.length, 'epoch')}`,
    figures: run => [...metricFigures(run), timeFigure(run), speedFigure(run)],
    curves: { metrics: {}, tested: 'test', clipped: null },
    plots: () => [],
    sections: () => null,
    comparison: {
      lead: 'Each measure has the same axes for all runs.',
      columns: runs => ['run', ...new Set(runs.flatMap(names)), 'minutes for 100 epochs'],
      rows(run, name) {
        const values = Object.values(run.results.metrics).map(shown)
        return [{ name, cells: [...values, minutes(minutesFor100(run.epochs))] }]
      },
      note: () => null,
      heading: '',
      parts: [],
    },
  }
}

/** The metrics of the trained model on the test items. */
export function metricFigures({ results }: FinishedRun): Figure[] {
  return Object.entries(results.metrics).map(([name, value]) => {
    return { name: `Test ${name}`, value: shown(value), beside: null }
  })
}

/** The time of training. @param besides is added to the minutes for 100 epochs */
export function timeFigure({ epochs, results }: FinishedRun, besides = ''): Figure {
  const beside = `${minutes(minutesFor100(epochs))} min for 100 epochs${besides}`
  return { name: 'Training time', value: duration(results.seconds), beside }
}

/** The speed of training. */
export function speedFigure({ epochs }: FinishedRun): Figure {
  const value = rough(median(epochs.map(({ tokensPerSecond }) => tokensPerSecond)))
  return { name: 'Tokens per second', value, beside: 'median epoch' }
}

/** A count with its noun. */
export function plural(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}

/** A metric with four significant digits. */
function shown(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value)
}
