import { basename, resolve } from 'node:path'
import { presets } from '../models/presets.js'
import { confusionMatrix } from '../training/metrics.js'
import { classBars, confusionPlot } from './classPlots.js'
import { curvePlot } from './curves.js'
import { comparable, type FinishedRun, minutesFor100 } from './finishedRun.js'
import { type Content, html } from './html.js'
import { aboutPlot, axisOf, measuresOf } from './measures.js'
import { minutes, score } from './numbers.js'
import { figure, page, table } from './page.js'
import { scoreTable } from './scoreTable.js'

/** Returns the page of some runs, side by side. */
export function comparePage(runs: readonly FinishedRun[]): string {
  const names = namesOf(runs)
  const beside = (plot: (run: FinishedRun) => Content) => html`<div class="plots">${runs.map(plot)}</div>`
  const title = (run: FinishedRun) => names[runs.indexOf(run)]!
  const heading = runs.length === 1 ? 'One run' : `${runs.length} runs side by side`
  return page(`${heading}: ${names.join(', ')}`, [
    html`<header><h1>${heading}</h1>
<p class="lead quiet">Each measure has the same axes for all runs. The notebook’s figures are in grey, beside runs on the notebook’s articles.</p></header>`,
    html`<main>`,
    glance(runs, names),
    html`<h2>Training</h2>${measurePlots(runs, names)}`,
    html`<h2>Test documents</h2>`,
    html`<h3>Scores by category</h3>`,
    beside(run => {
      const { metrics, results } = run
      return figure(title(run), results.preset, classBars(metrics.perClass, comparable(run)))
    }),
    html`<h3>Confusion matrices</h3>`,
    beside(run => {
      const { classes, test } = run.results
      const matrix = confusionMatrix(test.truth, test.predicted, classes.length)
      return figure(title(run), run.results.preset, confusionPlot(matrix, classes))
    }),
    html`<h3>Classification reports</h3><div class="plots tables">${runs.map(
      run =>
        html`<figure><figcaption><b>${title(run)}</b>${run.results.preset}</figcaption>${scoreTable(run, comparable(run))}</figure>`,
    )}</div>`,
    html`</main>`,
  ])
}

/** The runs' names: those of their directories, or the full paths if two are equal. */
function namesOf(runs: readonly FinishedRun[]): string[] {
  const names = runs.map(({ directory }) => basename(resolve(directory)))
  return new Set(names).size === names.length ? names : runs.map(({ directory }) => directory)
}

/** A table with one row per run, and the reasons why runs are not comparable with the notebook. */
function glance(runs: readonly FinishedRun[], names: readonly string[]): Content {
  const head = ['run', 'accuracy', 'macro F1', 'weighted F1', 'minutes for 100 epochs']
  const notes = [...new Set(runs.flatMap(({ notComparable }) => notComparable ?? []))]
  return [
    html`<h2>At a glance</h2>`,
    table({
      label: 'The runs at a glance',
      head: html`<tr>${head.map(name => html`<th scope="col">${name}</th>`)}</tr>`,
      rows: runs.flatMap((run, i) => {
        const { accuracy, macro, weighted } = run.metrics
        const scores = [accuracy, macro.f1, weighted.f1].map(score)
        const row = {
          name: names[i] === run.results.preset ? names[i]! : `${names[i]} (${run.results.preset})`,
          cells: [...scores, minutes(minutesFor100(run.epochs))],
        }
        const notebook = comparable(run)
        if (notebook === null) return [row]
        const printed = [notebook.accuracy, notebook.macro[2], notebook.weighted[2]].map(score)
        const quiet = [...printed, `~${notebook.minutes}`].map(text => ({ quiet: text }))
        return [row, { name: 'the notebook', cells: quiet }]
      }),
    }),
    notes.map(note => {
      const whose = runs.flatMap((run, i) => (run.notComparable === note ? [names[i]!] : []))
      return html`<p class="note">${whose.length === runs.length ? '' : `${whose.join(', ')}: `}${note}</p>`
    }),
  ]
}

function measurePlots(runs: readonly FinishedRun[], names: readonly string[]): Content {
  const epochs = runs.map(run => run.epochs)
  const lastEpoch = Math.max(...epochs.map(({ length }) => length))
  // All presets have the same clipping norm.
  const { clip } = presets[runs[0]!.results.preset]
  return measuresOf(epochs).map(measure => {
    const axis = axisOf(measure, epochs, clip)
    return html`<h3>${measure.title} <small>${aboutPlot(measure, axis, epochs, clip)}</small></h3><div class="plots four">${runs.map(
      (run, i) =>
        figure(
          names[i]!,
          run.results.preset,
          curvePlot(run.epochs, measure, { axis, clip, lastEpoch, width: 300 }),
        ),
    )}</div>`
  })
}
