import type { EpochRecord } from '../training/record.js'

/** One line of a plot: a number for each epoch, or null if it was not measured. */
export interface Curve {
  name: string
  value(epoch: EpochRecord): number | null
}

/** How the curves of a metric are titled and drawn. */
export interface MetricStyle {
  title: string
  about: string
  /** The vertical axis's range, if it is fixed. */
  domain?: readonly [number, number]
  /** Whether the axis is logarithmic for numbers that are far apart. */
  mayBeLogarithmic: boolean
}

/** How the curves of a task's runs are drawn. */
export interface CurveStyle {
  /** By the metric's name. A metric that is missing goes by its name. */
  readonly metrics: Readonly<Record<string, MetricStyle>>
  /** The name of the curves of the epochs' tests: `test` or `validation`. */
  readonly tested: string
  /** Whose gradients are clipped: `the LSTM`; null for all parameters. */
  readonly clipped: string | null
}

/** A plot of one or two curves over the epochs. */
export interface Measure extends MetricStyle {
  /** The first curve is solid and blue, the second dashed and orange. */
  curves: readonly [Curve] | readonly [Curve, Curve]
  /** Whether a line marks the clipping norm. */
  showsClip?: boolean
}

/** How metrics are drawn unless the task says otherwise. */
const known: Readonly<Record<string, MetricStyle>> = {
  loss: { title: 'Loss', about: 'what is minimised', mayBeLogarithmic: true },
  accuracy: { title: 'Accuracy', about: 'share that is right', domain: [0, 1], mayBeLogarithmic: false },
  perplexity: { title: 'Perplexity', about: 'e to the mean loss of a token', mayBeLogarithmic: true },
  bleu: { title: 'BLEU', about: 'n-grams shared with the references', mayBeLogarithmic: false },
}

/** What can be drawn of some runs: each metric that one of them has, then what every run has, in the order of the pages. */
export function measuresOf(runs: readonly (readonly EpochRecord[])[], style: CurveStyle): Measure[] {
  const names = new Set(
    runs.flat().flatMap(({ metrics, test }) => [...Object.keys(metrics), ...Object.keys(test ?? {})]),
  )
  return [...[...names].map(name => metricMeasure(name, style)), gradNorm(style), ...common]
}

function metricMeasure(name: string, { metrics, tested }: CurveStyle): Measure {
  const styles = [metrics, known].find(each => Object.hasOwn(each, name))
  return {
    ...(styles?.[name] ?? { title: name, about: 'by epoch', mayBeLogarithmic: true }),
    curves: [
      { name: 'training', value: epoch => epoch.metrics[name] ?? null },
      { name: tested, value: epoch => epoch.test?.[name] ?? null },
    ],
  }
}

function gradNorm({ clipped }: CurveStyle): Measure {
  return {
    title: 'Gradient norm',
    about: clipped === null ? 'before clipping' : `of ${clipped}, before clipping`,
    curves: [
      { name: 'mean', value: epoch => epoch.gradNorm.mean },
      { name: 'largest', value: epoch => epoch.gradNorm.largest },
    ],
    mayBeLogarithmic: true,
    showsClip: true,
  }
}

const common: readonly Measure[] = [
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
export function axisOf(
  measure: Measure,
  runs: readonly (readonly EpochRecord[])[],
  clip: number | null,
): Axis {
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
  clip: number | null,
): string {
  const lost = runs.flat().some(epoch => curves.some(({ value }) => !Number.isFinite(value(epoch) ?? 0)))
  return [
    about,
    ...(showsClip && clip !== null ? [`dotted: clipped to ${clip}`] : []),
    ...(type === 'log' ? ['logarithmic'] : []),
    ...(lost ? ['×: not a finite number'] : []),
  ].join('; ')
}
