import type { EpochRecord } from '../training/record.js'
import { curvePlot } from './curves.js'
import type { FinishedRun } from './finishedRun.js'
import { type Content, html } from './html.js'
import { aboutPlot, axisOf, type CurveStyle, measuresOf } from './measures.js'
import { figure, page, table } from './page.js'
import type { TaskView } from './taskView.js'

/** Returns the page of one run. */
export function reportPage<Run extends FinishedRun>(run: Run, view: TaskView<Run>): string {
  const { epochs, results } = run
  const figures = view.figures(run)
  const [first] = figures
  const headline = first === undefined ? '' : `, ${first.name.toLowerCase()} ${first.value}`
  return page(`${view.name(run)}${headline}`, [
    html`<header><h1>${view.name(run)}</h1><p class="lead quiet">${view.lead(run)}</p><dl class="summary">${figures.map(
      ({ name, value, beside }) =>
        html`<div><dt>${name}</dt><dd>${value}${beside === null ? null : html`<small>${beside}</small>`}</dd></div>`,
    )}</dl></header>`,
    html`<main>`,
    html`<h2>Training</h2><div class="plots">${[...curves(run, view.curves), ...view.plots(run)]}</div>`,
    epochTable(epochs, view.curves),
    view.sections(run),
    html`<h2>Settings and machine</h2><div class="facts">${facts('Settings', results.settings)}${facts('Machine', results.machine)}</div>`,
    html`</main>`,
  ])
}

function curves({ epochs, results: { clip } }: FinishedRun, style: CurveStyle): Content[] {
  return measuresOf([epochs], style).map(measure => {
    const axis = axisOf(measure, [epochs], clip)
    return figure(
      measure.title,
      aboutPlot(measure, axis, [epochs], clip),
      curvePlot(epochs, measure, { axis, clip, lastEpoch: epochs.length, width: 380 }),
    )
  })
}

function epochTable(epochs: readonly EpochRecord[], style: CurveStyle): Content {
  const columns = measuresOf([epochs], style).flatMap(({ title, curves }) =>
    curves.map(({ name, value }) => ({ head: curves.length === 1 ? title : `${title}, ${name}`, value })),
  )
  const show = (value: number | null) => (value === null ? '–' : String(Number(value.toPrecision(5))))
  return html`<details><summary>The numbers of each epoch</summary>${table({
    label: 'The numbers of each epoch',
    head: html`<tr><th scope="col">Epoch</th>${columns.map(({ head }) => html`<th scope="col">${head}</th>`)}</tr>`,
    rows: epochs.map(epoch => ({
      name: String(epoch.epoch),
      cells: columns.map(({ value }) => show(value(epoch))),
    })),
  })}</details>`
}

function facts(title: string, values: Readonly<Record<string, string | number | boolean | null>>): Content {
  return html`<section><h3>${title}</h3><dl>${Object.entries(values).map(([name, value]) =>
    value === null ? null : html`<dt>${name}</dt><dd>${String(value)}</dd>`,
  )}</dl></section>`
}
