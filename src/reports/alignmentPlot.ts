import * as Plot from '@observablehq/plot'
import { draw, short } from './draw.js'

const WIDTH = 400
const CELL = 26

/** Draws how much each word of a translation (rows) looks at each word of its source (columns). */
export function alignmentPlot(of: { source: string[]; translation: string[]; weights: number[][] }): string {
  const { source, translation, weights } = of
  const cells = weights.flatMap((row, t) =>
    row.map((weight, s) => ({
      t,
      s,
      weight,
      title: `${translation[t]} at ${source[s]}: ${weight.toFixed(2)}`,
    })),
  )
  const room = (words: readonly string[]) => 14 + 6.9 * Math.max(...words.map(word => short(word).length))
  const left = room(translation)
  const above = 0.87 * room(source)
  const cell = Math.min((WIDTH - left - 30) / source.length, CELL)
  const axis = (words: readonly string[]) => ({
    ...{ domain: words.map((_, i) => i), tickSize: 0, label: null },
    tickFormat: (i: number) => short(words[i]!),
  })
  return draw(`Attention of ${translation.length} words of a translation to ${source.length} of its source`, {
    ...{ width: WIDTH, marginLeft: left, marginTop: above + 8, marginBottom: 4 },
    marginRight: WIDTH - left - cell * source.length,
    height: above + 12 + cell * translation.length,
    ...{ padding: 0, opacity: { domain: [0, 1], range: [0, 1] } },
    x: { ...axis(source), axis: 'top', tickRotate: -60 },
    y: axis(translation),
    marks: [
      Plot.cell(cells, { x: 's', y: 't', inset: 0.5, fill: 'currentColor', fillOpacity: 0.05 }),
      Plot.cell(cells, {
        x: 's',
        y: 't',
        inset: 0.5,
        fill: 'var(--first)',
        fillOpacity: 'weight',
        title: 'title',
      }),
    ],
  })
}

/** Draws the mean BLEU of sentences by the length of their source, in groups of five words. */
export function bleuByLength({
  length,
  bleu,
}: {
  length: readonly number[]
  bleu: readonly number[]
}): string {
  const groups = new Map<number, number[]>()
  for (const [i, words] of length.entries()) {
    const group = Math.floor(Math.max(words - 1, 0) / 5)
    const scores = groups.get(group) ?? []
    scores.push(bleu[i]!)
    groups.set(group, scores)
  }
  const bars = [...groups]
    .sort(([a], [b]) => a - b)
    .map(([group, scores]) => {
      const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
      const name = `${5 * group + 1}–${5 * group + 5}`
      return { name, mean, title: `${name} words: ${mean.toFixed(1)}, ${scores.length} sentences` }
    })
  return draw(`Mean BLEU of sentences in ${bars.length} groups of length`, {
    ...{ width: 380, height: 210, marginLeft: 34, marginRight: 12, marginTop: 14, marginBottom: 34 },
    x: {
      domain: bars.map(({ name }) => name),
      label: 'words of the source',
      labelArrow: 'none',
      tickSize: 0,
    },
    y: { grid: true, label: null, tickSize: 0, ticks: 5, nice: true },
    marks: [
      Plot.barY(bars, { x: 'name', y: 'mean', fill: 'var(--first-shade)', title: 'title' }),
      Plot.ruleY([0], { strokeOpacity: 0.4 }),
    ],
  })
}
