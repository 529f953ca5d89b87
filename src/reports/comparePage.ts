import { basename, resolve } from 'node:path'
import { curvePlot } from './curves.js'
import type { FinishedRun } from './finishedRun.js'
import { type Content, html } from './html.js'
import { aboutPlot, axisOf, measuresOf } from './measures.js'
import { figure, page, table } from './page.js'
import type { TaskView } from './taskView.js'

/** Returns the page of some runs of a task, side by side. */
export function comparePage<Run extends FinishedRun>(runs: readonly Run[], view: TaskView<Run>): string {
  const { lead, heading, parts } = view.comparison
  const names = namesOf(runs)
  const title = runs.length === 1 ? 'One run' : `${runs.length} runs side by side`
  return page(`${title}: ${names.join(', ')}`, [
    html`<header><h1>${title}</h1>
<p class="lead quiet">${lead}</p></header>`,
    html`<main>`,
    glance(runs, names, view),
    html`<h2>Training</h2>${measurePlots(runs, names, view)}`,
    parts.length === 0 ? null : html`<h2>${heading}</h2>`,
    parts.map(
      ({ heading, show, isWide }) =>
        html`<h3>${heading}</h3><div class="plots${isWide ? ' tables' : ''}">${runs.map((run, i) => show(run, names[i]!))}</div>`,
    ),
    html`</main>`,
  ])
}

/** The runs' names: those of their directories, or the full paths if two are equal. */
function namesOf(runs: readonly FinishedRun[]): string[] {
  const names = runs.map(({ directory }) => basename(resolve(directory)))
  return new Set(names).size === names.length ? names : runs.map(({ directory }) => directory)
}

/** A table of all runs, and what is to be said of some. */
function glance<Run extends FinishedRun>(
  runs: readonly Run[],
  names: readonly string[],
  { name, comparison }: TaskView<Run>,
): Content {
  const named = (run: Run, i: number) => (names[i] === name(run) ? name(run) : `${names[i]} (${name(run)})`)
  const notes = [...new Set(runs.flatMap(run => comparison.note(run) ?? []))]
  return [
    html`<h2>At a glance</h2>`,
    table({
      label: 'The runs at a glance',
      head: html`<tr>${comparison.columns(runs).map(column => html`<th scope="col">${column}</th>`)}</tr>`,
      rows: runs.flatMap((run, i) => comparison.rows(run, named(run, i))),
    }),
    notes.map(note => {
      const whose = runs.flatMap((run, i) => (comparison.note(run) === note ? [names[i]!] : []))
      return html`<p class="note">${whose.length === runs.length ? '' : `${whose.join(', ')}: `}${note}</p>`
    }),
  ]
}

function measurePlots<Run extends FinishedRun>(
  runs: readonly Run[],
  names: readonly string[],
  view: TaskView<Run>,
): Content {
  const epochs = runs.map(run => run.epochs)
  const lastEpoch = Math.max(...epochs.map(({ length }) => length))
  const clips = new Set(runs.map(({ results }) => results.clip))
  const clip = clips.size === 1 ? runs[0]!.results.clip : null
  return measuresOf(epochs, view.curves).map(measure => {
    const axis = axisOf(measure, epochs, clip)
    return html`<h3>${measure.title} <small>${aboutPlot(measure, axis, epochs, clip)}</small></h3><div class="plots four">${runs.map(
      (run, i) =>
        figure(
          names[i]!,
          view.name(run),
          curvePlot(run.epochs, measure, { axis, clip, lastEpoch, width: 300 }),
        ),
    )}</div>`
  })
}
