import * as Plot from '@observablehq/plot'
import { draw } from './draw.js'

const BINS = 36

/** Draws the distribution of document lengths in bins of equal width: training documents as bars, test documents as a line. */
export function lengthPlot({
  training,
  test,
}: {
  training: readonly number[]
  test: readonly number[]
}): string {
  const longest = [...training, ...test].reduce((longest, length) => Math.max(longest, length), 0)
  const width = Math.ceil((longest + 1) / BINS)
  const [inTraining, inTest] = [training, test].map(lengths => countsOf(lengths, width))
  const bins = inTraining!.map((count, i) => {
    const [from, to] = [i * width, (i + 1) * width]
    const counts = `${count} of ${training.length} training, ${inTest![i]} of ${test.length} test documents`
    return {
      ...{ from, to, training: share(count, training), test: share(inTest![i]!, test) },
      title: `${from} to ${to - 1} tokens: ${counts}`,
    }
  })
  const line = [...bins, { ...bins.at(-1)!, from: bins.at(-1)!.to }]
  const above = { frameAnchor: 'top-left', textAnchor: 'start', dy: -15 } as const
  return draw(
    `Tokens of ${training.length} training and ${test.length} test documents; the longest has ${longest}`,
    {
      ...{ width: 380, height: 210, marginLeft: 44, marginRight: 12, marginTop: 24, marginBottom: 34 },
      x: { domain: [0, width * bins.length], ticks: 6, label: 'tokens', labelArrow: 'none', tickSize: 4 },
      y: {
        percent: true,
        nice: true,
        tickFormat: (share: number) => `${share} %`,
        ticks: 5,
        grid: true,
        label: null,
        tickSize: 0,
      },
      marks: [
        Plot.rectY(bins, { x1: 'from', x2: 'to', y: 'training', inset: 0.5, fill: 'var(--first-shade)' }),
        Plot.lineY(line, {
          ...{ x: 'from', y: 'test', curve: 'step-after', stroke: 'var(--second)', strokeWidth: 1.3 },
          strokeDasharray: '5 3',
        }),
        Plot.ruleY([0], { strokeOpacity: 0.4 }),
        // Invisible and as high as the plot: they show the titles.
        Plot.rectX(bins, { x1: 'from', x2: 'to', title: 'title', fill: 'none', pointerEvents: 'all' }),
        Plot.text(['■ training'], { ...above, fill: 'var(--first)' }),
        Plot.text(['- - test'], { ...above, dx: 72, fill: 'var(--second)' }),
      ],
    },
  )
}

/** Counts per bin. Bin i contains the integers from i · width to (i + 1) · width - 1. */
function countsOf(lengths: readonly number[], width: number): number[] {
  const counts = new Array<number>(BINS).fill(0)
  for (const length of lengths) counts[Math.floor(length / width)]!++
  return counts
}

function share(count: number, of: readonly number[]): number {
  return of.length === 0 ? 0 : count / of.length
}
