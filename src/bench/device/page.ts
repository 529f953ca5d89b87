import * as Plot from '@observablehq/plot'
import { draw } from '../../reports/draw.js'
import { type Content, html } from '../../reports/html.js'
import { figure as figureOf, page, table } from '../../reports/page.js'
import type { Finding } from './records.js'
import {
  EPOCH_TEXT,
  type EpochSummary,
  epochSummaries,
  faults,
  figure,
  pick,
  pointTable,
  STEP_TEXT,
  whatRan,
} from './summary.js'

const WIDTH = 420

/** Findings as an HTML page in one file: microseconds of a layer-step over T and over B, epochs beside the peers', and all numbers. */
export function devicePage(findings: readonly Finding[]): string {
  const [run] = pick(findings, 'run')
  const name = pick(findings, 'device').at(-1)?.name ?? run?.device ?? 'no device'
  const title = `packed-rnn on ${name}`
  const about = [
    `packed-rnn ${run?.code.version ?? ''}, ${run?.started.slice(0, 10) ?? ''}; ${run?.host.cpu ?? ''}, ${run?.host.cores ?? 0} cores`,
    ...(run?.host.cards ?? []),
    ...(run?.host.cudaLibrary === null
      ? []
      : [
          'The CUDA library is the file in PACKED_RNN_CUDA_LIBRARY. Times are meaningless if it is a stand-in.',
        ]),
  ]
  const wrong = faults(findings)
  const body = html`<header><h1>${title}</h1>
${about.map(line => html`<p class="lead">${line}</p>\n`)}</header>
${wrong.length === 0 ? null : html`<section><h2>Wrong</h2><ul>${wrong.map(line => html`<li>${line}</li>`)}</ul></section>`}
<main>${epochSection(findings)}${stepSection(findings)}</main>`
  return page(title, body)
}

function epochSection(findings: readonly Finding[]): Content {
  const rows = epochSummaries(findings)
  if (rows.length === 0) return null
  const timed = rows.filter(({ seconds }) => seconds !== null)
  const cells = (row: EpochSummary) => [
    row.seconds === null ? { quiet: '—' } : figure(row.seconds),
    { quiet: whatRan(row) },
  ]
  return html`<section><h2>An epoch</h2><p class="note">${EPOCH_TEXT}</p>
${timed.length === 0 ? null : html`<div class="plots tables">${figureOf('Seconds of an epoch', null, epochPlot(timed))}</div>`}
${table({
  label: 'Seconds of an epoch',
  head: html`<tr><th scope="col">workload</th><th scope="col">seconds</th><th scope="col"></th></tr>`,
  rows: rows.map(row => ({ name: nameOf(row), cells: cells(row) })),
})}</section>`
}

function nameOf({ workload, who, otherFunction }: EpochSummary): string {
  return `${workload}, ${who}${otherFunction ? ' ¹' : ''}`
}

function epochPlot(rows: readonly EpochSummary[]): string {
  const spoken = rows.map(row => `${nameOf(row)}: ${figure(row.seconds!)} s`).join('; ')
  const named = rows.map(row => ({
    name: nameOf(row),
    seconds: row.seconds!,
    own: row.who.startsWith('packed-rnn'),
  }))
  return draw(`Seconds of an epoch. ${spoken}`, {
    ...{ width: WIDTH, height: 40 + 24 * rows.length, marginLeft: 170, marginRight: 50 },
    x: { label: 'seconds', labelArrow: 'none', grid: true },
    y: { label: null, domain: named.map(({ name }) => name) },
    marks: [
      Plot.barX(named, {
        ...{ x: 'seconds', y: 'name', insetTop: 2, insetBottom: 2 },
        fill: ({ own }) => (own ? 'var(--first)' : 'var(--second)'),
        title: ({ name, seconds }) => `${name}: ${seconds} s`,
      }),
      Plot.text(named, {
        x: 'seconds',
        y: 'name',
        text: ({ seconds }) => figure(seconds),
        textAnchor: 'start',
        dx: 4,
      }),
      Plot.ruleX([0]),
    ],
  })
}

/** A point of a curve: a participant's microseconds of a layer-step, forward and backward, at one H, over T or B. */
interface Dot {
  at: number
  microseconds: number
  who: string
}

function stepSection(findings: readonly Finding[]): Content {
  const { names, shapes } = pointTable(findings)
  if (shapes.length === 0) return null
  const points = shapes.flat()
  const total = (point: (typeof points)[number]) => point.forward! + point.backward!
  const curves = (over: 'T' | 'B', fixed: 'T' | 'B') =>
    [...new Set(points.map(({ H }) => H))].flatMap(H => {
      const ofH = points.filter(point => point.H === H)
      const shapesAt = (value: number) =>
        new Set(ofH.filter(point => point[fixed] === value).map(point => point[over])).size
      // The other size is fixed at the value with the most shapes, and the largest of those.
      const most = [...new Set(ofH.map(point => point[fixed]))]
        .toSorted((a, b) => b - a)
        .reduce((best, each) => (shapesAt(each) > shapesAt(best) ? each : best))
      const dots = ofH
        .filter(point => point[fixed] === most)
        .map((point): Dot => ({ at: point[over], microseconds: total(point), who: point.who }))
      if (new Set(dots.map(({ at }) => at)).size < 2) return []
      return [figureOf(`H ${H}, ${fixed} ${most}, over ${over}`, null, curve(dots, names, over))]
    })
  return html`<section><h2>A layer-step</h2><p class="note">${STEP_TEXT}</p>
${names.length > 1 ? html`<p class="note">Solid: packed-rnn. Dashed: PyTorch.</p>` : null}
<div class="plots tables">${curves('T', 'B')}${curves('B', 'T')}</div>
${table({
  label: 'Microseconds of a layer-step, forward and backward',
  head: html`<tr><th scope="col">shape</th>${names.map(name => html`<th scope="col">${name}</th>`)}</tr>`,
  rows: shapes.map(shape => ({
    name: `H ${shape[0]!.H}, B ${shape[0]!.B}, T ${shape[0]!.T}`,
    cells: names.map(name => {
      const row = shape.find(({ who }) => who === name)
      return row === undefined ? '' : `${figure(row.forward!)} + ${figure(row.backward!)}`
    }),
  })),
})}</section>`
}

function curve(dots: readonly Dot[], names: readonly string[], over: 'T' | 'B'): string {
  const sorted = dots.toSorted((a, b) => a.at - b.at)
  const spoken = sorted
    .map(({ who, at, microseconds }) => `${who}, ${over} ${at}: ${figure(microseconds)}`)
    .join('; ')
  return draw(`Microseconds of a layer-step over ${over}. ${spoken}`, {
    ...{ width: WIDTH, height: 210, marginLeft: 50, marginRight: 12, marginBottom: 34 },
    x: {
      type: 'log',
      base: 2,
      label: over,
      labelArrow: 'none',
      ticks: [...new Set(sorted.map(({ at }) => at))],
      tickFormat: String,
    },
    y: { label: 'µs', labelArrow: 'none', grid: true, zero: true },
    marks: names.flatMap(name => {
      const own = sorted.filter(({ who }) => who === name)
      const stroke = name.startsWith('packed-rnn') ? 'var(--first)' : 'var(--second)'
      const dash = name.startsWith('packed-rnn')
        ? {}
        : { strokeDasharray: name.endsWith('padded') ? '5 3' : '1 3' }
      return [
        Plot.lineY(own, { x: 'at', y: 'microseconds', stroke, strokeWidth: 1.6, ...dash }),
        Plot.dot(own, {
          ...{ x: 'at', y: 'microseconds', fill: stroke, r: 2.6 },
          title: (dot: Dot) => `${dot.who}, ${over} ${dot.at}: ${dot.microseconds} µs`,
        }),
      ]
    }),
  })
}
