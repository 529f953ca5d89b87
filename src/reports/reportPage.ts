import { median } from '../median.js'
import { type Preset, presets } from '../models/presets.js'
import { confusionMatrix } from '../training/metrics.js'
import type { EpochRecord, Mistake } from '../training/record.js'
import { classBars, confusionPlot } from './classPlots.js'
import { curvePlot } from './curves.js'
import { comparable, type FinishedRun, minutesFor100 } from './finishedRun.js'
import { type Content, html } from './html.js'
import { lengthPlot } from './lengthPlot.js'
import { aboutPlot, axisOf, measuresOf } from './measures.js'
import { duration, minutes, rough, score } from './numbers.js'
import { figure, page, table } from './page.js'
import { scoreTable } from './scoreTable.js'

/** Returns the page of one run. */
export function reportPage(run: FinishedRun): string {
  const { epochs, results, metrics } = run
  const preset: Preset = presets[results.preset]
  return page(`${results.preset}, accuracy ${score(metrics.accuracy)}`, [
    html`<header><h1>${results.preset}</h1><p class="lead quiet">${lead(run)}</p>${summary(run)}</header>`,
    html`<main>`,
    html`<h2>Training</h2>${trainingPlots(run, preset.clip)}${epochTable(epochs)}`,
    html`<h2>Test documents</h2>${note(run.notComparable)}${classes(run)}`,
    html`<h2>The most confident mistakes</h2>${mistakes(results.mistakes)}`,
    html`<h2>Settings and machine</h2><div class="facts">${facts('Settings', results.settings)}${facts('Machine', results.machine)}</div>`,
    html`</main>`,
  ])
}

/** A sentence about the model and its data. */
function lead({ results, epochs }: FinishedRun): string {
  const { hiddenSize, numLayers, bidirectional }: Preset = presets[results.preset]
  const layers = `${numLayers === 1 ? 'one layer' : `${numLayers} layers`} of ${hiddenSize} units`
  const { training, test } = results.lengths
  return (
    `LSTM, ${layers}${bidirectional ? ' in both directions' : ''}, trained on ${training.length.toLocaleString('en')} ` +
    `documents for ${plural(epochs.length, 'epoch')}; ${test.length.toLocaleString('en')} test documents in ` +
    `${results.classes.length} categories; ${plural(results.vocabularySize, 'word')}`
  )
}

function plural(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}

function summary(run: FinishedRun): Content {
  const { results, epochs, metrics } = run
  const beside = comparable(run)
  const figures: [name: string, value: string, beside: string | null][] = [
    ['Accuracy', score(metrics.accuracy), beside && `the notebook: ${score(beside.accuracy)}`],
    ['Macro F1', score(metrics.macro.f1), beside && `the notebook: ${score(beside.macro[2])}`],
    ['Test loss', results.test.loss.toFixed(3), null],
    ['Training time', duration(results.seconds), per100(epochs, beside?.minutes)],
    [
      'Tokens per second',
      rough(median(epochs.map(({ tokensPerSecond }) => tokensPerSecond))),
      'median epoch',
    ],
  ]
  return html`<dl class="summary">${figures.map(
    ([name, value, beside]) =>
      html`<div><dt>${name}</dt><dd>${value}${beside === null ? null : html`<small>${beside}</small>`}</dd></div>`,
  )}</dl>`
}

function per100(epochs: readonly EpochRecord[], notebook: number | undefined): string {
  const beside = notebook === undefined ? '' : `; the notebook: about ${notebook}`
  return `${minutes(minutesFor100(epochs))} min for 100 epochs${beside}`
}

function note(text: string | null): Content {
  return text === null ? null : html`<p class="note">${text}</p>`
}

function trainingPlots({ epochs, results }: FinishedRun, clip: number): Content {
  const plots = measuresOf([epochs]).map(measure => {
    const axis = axisOf(measure, [epochs], clip)
    return figure(
      measure.title,
      aboutPlot(measure, axis, [epochs], clip),
      curvePlot(epochs, measure, { axis, clip, lastEpoch: epochs.length, width: 380 }),
    )
  })
  const lengths = figure('Length', 'tokens of a document', lengthPlot(results.lengths))
  return html`<div class="plots">${[...plots, lengths]}</div>`
}

function epochTable(epochs: readonly EpochRecord[]): Content {
  const columns = measuresOf([epochs]).flatMap(({ title, curves }) =>
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

function classes(run: FinishedRun): Content {
  const { results, metrics, notebook } = run
  const { truth, predicted } = results.test
  const matrix = confusionMatrix(truth, predicted, results.classes.length)
  // The note above the tables says how the documents differ.
  const whose = `the notebook’s${run.notComparable === null ? '' : ', of other documents'}`
  const bars = notebook === null ? 'of this run' : `bars: this run; lines: ${whose}`
  const report = notebook === null ? 'on the test documents' : `this run; in grey: ${whose}`
  return html`<div class="plots test">${[
    figure(
      'Confusion matrix',
      'rows: true category; columns: predicted category',
      confusionPlot(matrix, results.classes),
    ),
    figure('Scores by category', bars, classBars(metrics.perClass, notebook)),
    html`<figure><figcaption><b>Classification report</b>${report}</figcaption>${scoreTable(run, notebook)}</figure>`,
  ]}</div>`
}

/** Characters of a document that are shown initially. */
const EXCERPT = 320

function mistakes(found: readonly Mistake[]): Content {
  if (found.length === 0) return html`<p>None: every test document is classified correctly.</p>`
  return html`<ol class="mistakes">${found.map(
    ({ document, text, truth, predicted, probability }) =>
      html`<li><b>${predicted}</b> with ${percent(probability)}, correct: <b>${truth}</b> <span class="quiet">· test document ${document + 1}</span>
<blockquote>${excerpt(text)}</blockquote></li>`,
  )}</ol>`
}

function excerpt(text: string): Content {
  const letters = [...text]
  if (letters.length <= 1.2 * EXCERPT) return text
  const cut = letters
    .slice(0, EXCERPT)
    .join('')
    .replace(/\s\S*$/, '')
  return html`${cut}\u00a0…<details><summary>full text</summary>${text}</details>`
}

/** Formats a share; shares that would round up to 100.0 % are shown as more than 99.9 %. */
function percent(share: number): string {
  return share < 1 && share >= 0.9995 ? 'more than 99.9 %' : `${(100 * share).toFixed(1)} %`
}

function facts(title: string, values: Readonly<Record<string, string | number | boolean | null>>): Content {
  return html`<section><h3>${title}</h3><dl>${Object.entries(values).map(([name, value]) =>
    value === null ? null : html`<dt>${name}</dt><dd>${String(value)}</dd>`,
  )}</dl></section>`
}
