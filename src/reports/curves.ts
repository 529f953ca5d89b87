import * as Plot from '@observablehq/plot'
import type { EpochRecord } from '../training/record.js'
import { draw } from './draw.js'
import type { Axis, Curve, Measure } from './measures.js'

/** With more epochs than this, the dots are invisible and only show their titles. */
const DOTS = 25

/** The common properties of the plots of some runs. */
export interface Frame {
  axis: Axis
  /** The norm that gradients are clipped to; null where they are not. */
  clip: number | null
  /** The end of the horizontal axis. */
  lastEpoch: number
  /** The width in pixels. Pages scale plots. */
  width: number
}

interface Point {
  epoch: number
  value: number
  title: string
}

/** The measured numbers of a curve, including NaN and infinities. */
function pointsOf(epochs: readonly EpochRecord[], { name, value }: Curve): Point[] {
  return epochs.flatMap(record => {
    const found = value(record)
    if (found === null) return []
    return [{ epoch: record.epoch, value: found, title: `epoch ${record.epoch}, ${name}: ${found}` }]
  })
}

/**
 * Draws a measure by epoch. The title of each dot has the exact number. A number that is not finite is a gap in the line and a
 * cross at the upper edge.
 */
export function curvePlot(
  epochs: readonly EpochRecord[],
  measure: Measure,
  { axis, clip, lastEpoch, width }: Frame,
): string {
  const marks = measure.curves.flatMap((curve, i) => {
    const points = pointsOf(epochs, curve)
    const lost = points.filter(({ value }) => !Number.isFinite(value))
    const colour = i === 0 ? 'var(--first)' : 'var(--second)'
    return [
      Plot.lineY(points, {
        ...{ x: 'epoch', y: 'value', stroke: colour, strokeWidth: 1.6 },
        ...(i === 0 ? {} : { strokeDasharray: '5 3' }),
      }),
      Plot.dot(
        points.filter(({ value }) => Number.isFinite(value)),
        {
          ...{ x: 'epoch', y: 'value', fill: colour, title: 'title' },
          ...(epochs.length > DOTS ? { r: 4, fillOpacity: 0 } : { r: 2.6 }),
        },
      ),
      Plot.dot(lost, {
        ...{ x: 'epoch', frameAnchor: 'top', symbol: 'times', r: 3.5, dy: i * 9 },
        ...{ stroke: colour, strokeWidth: 1.6, title: 'title' },
      }),
    ]
  })
  const clipping = Plot.ruleY(clip === null ? [] : [clip], {
    stroke: 'currentColor',
    strokeOpacity: 0.6,
    strokeDasharray: '1 3',
  })
  return draw(`${measure.title} by epoch. ${spoken(epochs, measure)}`, {
    ...{ width, height: 210, marginLeft: 44, marginRight: 12, marginTop: 24, marginBottom: 34 },
    x: {
      ...(lastEpoch > 1 ? { domain: [1, lastEpoch] } : { domain: [0.5, 1.5] }),
      ...{ label: 'epoch', labelArrow: 'none', ticks: epochTicks(lastEpoch), tickFormat: 'd', tickSize: 4 },
    },
    y: {
      ...{ type: axis.type, domain: [...axis.domain], nice: true, grid: true, label: null, tickSize: 0 },
      ...(axis.type === 'log' ? { ticks: 4, tickFormat: '~g' } : { ticks: 5, tickFormat: compact }),
    },
    marks: [...(measure.showsClip ? [clipping] : []), ...marks, ...keys(epochs, measure)],
  })
}

/** The names of the drawn curves above the plot, in the curves' colours, if the measure has two curves. */
function keys(epochs: readonly EpochRecord[], { curves }: Measure): Plot.Markish[] {
  if (curves.length === 1) return []
  const drawn = curves.map(({ value }) => epochs.some(epoch => value(epoch) !== null))
  const [first, second] = [`— ${curves[0].name}`, `- - ${curves[1].name}`]
  const above = { frameAnchor: 'top-left', textAnchor: 'start', dy: -15 } as const
  return [
    Plot.text(drawn[0] ? [first] : [], { ...above, fill: 'var(--first)' }),
    Plot.text(drawn[1] ? [second] : [], { ...above, dx: 6 * first.length + 20, fill: 'var(--second)' }),
  ]
}

/** Ticks: 1, and multiples of a step of 1, 2, 5, 10, …, about six in all. */
function epochTicks(last: number): number[] {
  const step = [1, 2, 5, 10, 20, 50].find(size => last / size <= 6) ?? 10 ** Math.ceil(Math.log10(last / 6))
  const whole = Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step)
  return [...new Set([1, ...whole])]
}

/** Formats 12000 as 12k and 0.25 as 0.25. */
function compact(value: number): string {
  const large = [
    { from: 1e6, letter: 'M' },
    { from: 1e3, letter: 'k' },
  ].find(({ from }) => Math.abs(value) >= from)
  return large === undefined
    ? String(Number(value.toPrecision(4)))
    : `${Number((value / large.from).toPrecision(4))}${large.letter}`
}

/** The first and the last number of each curve, for screen readers. */
function spoken(epochs: readonly EpochRecord[], { curves }: Measure): string {
  return curves
    .flatMap(({ name, value }) => {
      const known = epochs.map(value).filter(found => found !== null)
      if (known.length === 0) return []
      const [first, last] = [known[0]!, known.at(-1)!].map(found => Number(found.toPrecision(3)))
      return [`${name}: ${first}${known.length > 1 ? `, at the end ${last}` : ''}`]
    })
    .join('; ')
}
