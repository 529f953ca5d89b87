import type { EpochRecord } from '../training/record.js'

/** One line of a plot: a number for each epoch, or null if it was not measured. */
export interface Curve {
  name: string
  value(epoch: EpochRecord): number | null
}

/** A plot of one or two curves over the epochs. */
export interface Measure {
  title: string
  about: string
  /** The first curve is solid and blue, the second dashed and orange. */
  curves: readonly [Curve] | readonly [Curve, Curve]
  /** The vertical axis's range, if it is fixed. */
  domain?: readonly [number, number]
  /** Whether the axis is logarithmic for numbers that are far apart. */
  mayBeLogarithmic: boolean
  /** Whether a line marks the clipping norm. */
  showsClip?: boolean
}

/** How metrics that pages know are drawn; another one goes by its name. */
const known: Readonly<Record<string, Omit<Measure, 'curves'>>> = {
  loss: { title: 'Loss', about: 'mean cross entropy', mayBeLogarithmic: true },
  accuracy: {
    title: 'Accuracy',
    about: 'share of documents classified correctly',
    domain: [0, 1],
    mayBeLogarithmic: false,
  },
}

/** What can be drawn of some runs: each metric that one of them has, then what every run has, in the order of the pages. */
export function measuresOf(runs: readonly (readonly EpochRecord[])[]): Measure[] {
  const names = new Set(
    runs.flat().flatMap(({ metrics, test }) => [...Object.keys(metrics), ...Object.keys(test ?? {})]),
  )
  return [...[...names].map(metricMeasure), ...common]
}

function metricMeasure(name: string): Measure {
  const { title = name, about = 'by epoch', ...rest } = known[name] ?? { mayBeLogarithmic: true }
  return {
    ...{ title, about, ...rest },
    curves: [
      { name: 'training', value: epoch => epoch.metrics[name] ?? null },
      { name: 'test', value: epoch => epoch.test?.[name] ?? null },
    ],
  }
}

const common: readonly Measure[] = [
  {
    title: 'Gradient norm',
    about: 'of the LSTM, before clipping',
    curves: [
      { name: 'mean', value: epoch => epoch.gradNorm.mean },
      { name: 'largest', value: epoch => epoch.gradNorm.largest },
    ],
    mayBeLogarithmic: true,
    showsClip: true,
  },
  {
    title: 'Learning rate',
    about: 'at the last step of each epoch',
    curves: [{ name: 'learning rate', value: epoch => epoch.learningRate }],
    mayBeLogarithmic: false,
  },
  {
    title: 'Tokens per second',
    about: 'while training',
    curves: [{ name: 'tokens per second', value: epoch => epoch.tokensPerSecond }],
    mayBeLogarithmic: false,
  },
]

/** The vertical axis of a measure. */
export interface Axis {
  type: 'linear' | 'log'
  domain: readonly [number, number]
}

/** An axis is logarithmic if the largest number divided by the smallest is greater. */
const FAR_APART = 100

/** The common axis of some runs' plots. */
export function axisOf(measure: Measure, runs: readonly (readonly EpochRecord[])[], clip: number): Axis {
  if (measure.domain) return { type: 'linear', domain: measure.domain }
  const drawn = runs.flat().flatMap(epoch => measure.curves.map(curve => curve.value(epoch)))
  const numbers = [...drawn, measure.showsClip ? clip : null].flatMap(value =>
    value !== null && Number.isFinite(value) ? [value] : [],
  )
  const [least, largest] = [Math.min(...numbers), Math.max(...numbers)]
  if (numbers.length === 0 || largest <= 0) return { type: 'linear', domain: [0, 1] }
  const logarithmic = measure.mayBeLogarithmic && least > 0 && largest / least > FAR_APART
  return logarithmic
    ? { type: 'log', domain: [least, largest] }
    : { type: 'linear', domain: [Math.min(0, least), largest] }
}

/** A plot's caption, including the axis and marks that not every plot has. */
export function aboutPlot(
  { about, curves, showsClip }: Measure,
  { type }: Axis,
  runs: readonly (readonly EpochRecord[])[],
  clip: number,
): string {
  const lost = runs.flat().some(epoch => curves.some(({ value }) => !Number.isFinite(value(epoch) ?? 0)))
  return [
    about,
    ...(showsClip ? [`dotted: clipped to ${clip}`] : []),
    ...(type === 'log' ? ['logarithmic'] : []),
    ...(lost ? ['×: not a finite number'] : []),
  ].join('; ')
}
